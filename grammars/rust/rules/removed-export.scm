; message: `{name}` is gone while it is still imported
; severity: error
; fires: when-missed
; file: src/a.rs
; before: pub fn one() {}
; passes: pub fn two() {}
[(function_item (visibility_modifier) name: (identifier) @name @removed-export)
 (struct_item (visibility_modifier) name: (type_identifier) @name @removed-export)
 (enum_item (visibility_modifier) name: (type_identifier) @name @removed-export)
 (union_item (visibility_modifier) name: (type_identifier) @name @removed-export)
 (trait_item (visibility_modifier) name: (type_identifier) @name @removed-export)
 (type_item (visibility_modifier) name: (type_identifier) @name @removed-export)
 (const_item (visibility_modifier) name: (identifier) @name @removed-export)
 (static_item (visibility_modifier) name: (identifier) @name @removed-export)]
; What a macro or another module may offer under any name.
(use_declaration (visibility_modifier) argument: (use_wildcard) @removed-export
  (#set! name "*"))
((macro_invocation) @removed-export
  (#child-of? @removed-export "source_file")
  (#set! name "*"))
((expression_statement (macro_invocation)) @removed-export
  (#child-of? @removed-export "source_file")
  (#set! name "*"))

; Imports.
(use_declaration
  argument: (scoped_identifier path: (_) @source name: (identifier) @name @removed-export))
(use_declaration
  argument: (use_as_clause
    path: (scoped_identifier path: (_) @source name: (identifier) @name @removed-export)))
(use_declaration
  argument: (scoped_use_list path: (_) @source
    list: (use_list
      [(identifier) @name @removed-export
       (use_as_clause path: (identifier) @name @removed-export)])))
