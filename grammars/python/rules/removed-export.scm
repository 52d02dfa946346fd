; message: `{name}` is gone while it is still imported
; severity: error
; fires: when-missed
; except: *.pyi
; file: a.py
; before: def one(): return 1
; passes: def two(): return 2
([(function_definition name: (identifier) @name @removed-export)
  (class_definition name: (identifier) @name @removed-export)
  (decorated_definition definition: (_ name: (identifier) @name @removed-export))
  (expression_statement (assignment left: (identifier) @name @removed-export))] @item
  (#child-of? @item "module"))
; What another module may offer under any name.
((import_from_statement (wildcard_import)) @removed-export
  (#child-of? @removed-export "module")
  (#set! name "*"))
((function_definition name: (identifier) @function) @removed-export
  (#eq? @function "__getattr__")
  (#set! name "*"))

; Imports that no `try` and no `if` is around.
((import_from_statement
   module_name: (_) @source
   name: [(dotted_name) @name @removed-export
          (aliased_import name: (dotted_name) @name @removed-export)]) @item
  (#child-of? @item "module"))
