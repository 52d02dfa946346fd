; message: a placeholder is not an implementation; write the body
; severity: error
; except: *.pyi
; fails: def a():
; fails|     pass
; fails: def a():
; fails|     """What it does."""
; fails|     ...
; fails: def a():
; fails|     raise NotImplementedError("later")
; fails: class A:
; fails|     def a(self):
; fails|         # TODO: implement
; fails|         pass
; fails: class A:
; fails|     def a(self):
; fails|         ...
; passes: def a():
; passes|     return 1
; passes: class A(Protocol):
; passes|     def a(self): ...
; passes: class A(ABC):
; passes|     @abstractmethod
; passes|     def a(self):
; passes|         raise NotImplementedError
; passes: @overload
; passes| def a(b: int) -> int: ...
; passes: class A(Base):
; passes|     def on_start(self):
; passes|         pass
; passes: class Shape:
; passes|     def area(self):
; passes|         raise NotImplementedError
; passes: def a(b):
; passes|     if b: raise NotImplementedError("b is not supported")
; passes|     return 1
; A function of a module.
((function_definition
   name: (identifier) @function
   body: (block . [(comment) (expression_statement (string))]* .
     [(pass_statement)
      (expression_statement (ellipsis))
      (raise_statement [(identifier) @error (call function: (identifier) @error)])] @placeholder .)) @item
  (#child-of? @item "module")
  (#not-match? @function "^_|noop|no_op|^(setup|teardown|test_?)")
  (#any-of? @error "NotImplementedError" "NotImplemented"))

; A method of a class that is nobody's subclass, and so no protocol and no abstract class.
(class_definition
  !superclasses
  body: (block
    (function_definition
      body: (block . [(comment) (expression_statement (string))]* . (expression_statement (ellipsis)) @placeholder .))))

; Any body that says so itself. (A comment before the first statement stands before the body, not in it.)
((function_definition
  (comment) @says
  body: (block . (expression_statement (string))* . [(pass_statement) (expression_statement (ellipsis))] @placeholder .))
  (#match? @says "(?i)\\b(todo|fixme|implement)"))
((function_definition
  body: (block . (expression_statement (string))* . (comment) @says . [(pass_statement) (expression_statement (ellipsis))] @placeholder .))
  (#match? @says "(?i)\\b(todo|fixme|implement)"))
