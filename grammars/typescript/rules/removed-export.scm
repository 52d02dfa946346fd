; message: `{name}` is not exported any more while it is still imported
; severity: error
; fires: when-missed
; file: src/a.ts
; before: export function one() {}
; passes: export function two() {}
(export_statement
  declaration: [(function_declaration name: (identifier) @name @removed-export)
                (generator_function_declaration name: (identifier) @name @removed-export)
                (class_declaration name: (_) @name @removed-export)])
(export_statement
  declaration: [(lexical_declaration (variable_declarator name: (identifier) @name @removed-export))
                (variable_declaration (variable_declarator name: (identifier) @name @removed-export))])
(export_statement "default" @removed-export (#set! name "default"))
(export_statement
  (export_clause (export_specifier name: (identifier) @name @removed-export !alias)))
(export_statement
  (export_clause (export_specifier alias: (identifier) @name @removed-export)))
; What another module may offer under any name.
(export_statement "*" @removed-export (#set! name "*"))
(export_statement
  declaration: (lexical_declaration
    (variable_declarator name: [(object_pattern) (array_pattern)] @removed-export))
  (#set! name "*"))
(export_statement
  declaration: [(interface_declaration name: (type_identifier) @name @removed-export)
                (type_alias_declaration name: (type_identifier) @name @removed-export)
                (abstract_class_declaration name: (type_identifier) @name @removed-export)
                (enum_declaration name: (identifier) @name @removed-export)
                (function_signature name: (identifier) @name @removed-export)])
(export_statement
  declaration: (ambient_declaration) @removed-export
  (#set! name "*"))
(export_statement "=" @removed-export (#set! name "*"))

; Imports.
(import_statement
  (import_clause (identifier) @removed-export)
  source: (string) @source
  (#set! name "default"))
(import_statement
  (import_clause (named_imports (import_specifier name: (identifier) @name @removed-export)))
  source: (string) @source)
(export_statement
  (export_clause (export_specifier name: (identifier) @name @removed-export))
  source: (string) @source)
