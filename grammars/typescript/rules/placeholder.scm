; message: a placeholder is not an implementation; write the body
; severity: error
; fails: function a() { throw new Error("not implemented"); }
; fails: class A { b() { throw new Error('Method not implemented.'); } }
; fails: const a = () => { throw new Error(`TODO: ${1}`); };
; fails: function a() { /* TODO: implement */ }
; fails: const a = () => { // TODO
; fails| };
; passes: function a() { throw new Error("the file does not exist"); }
; passes: function a() { /* TODO: a faster way */ return b(); }
; passes: const noop = () => {};
(throw_statement
  (new_expression
    constructor: (identifier) @name
    arguments: (arguments . [(string) (template_string)] @text))
  (#match? @name "Error$")
  (#match? @text "(?i)^.\\s*(todo|unimplemented|((method|function|this)\\s+)?(is\\s+)?not\\s+(yet\\s+)?implemented)")) @placeholder

([(function_declaration body: (statement_block . (comment) @placeholder .))
  (method_definition body: (statement_block . (comment) @placeholder .))
  (function_expression body: (statement_block . (comment) @placeholder .))
  (arrow_function body: (statement_block . (comment) @placeholder .))]
  (#match? @placeholder "(?i)\\b(todo|fixme|implement)"))
