; The named items of a file. The capture around an item is its kind; what an item lies in is part of its path, and so is
; what `@of` names.
(function_declaration name: (_) @name) @func
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @of
    (pointer_type (type_identifier) @of)
    (generic_type type: (type_identifier) @of)
    (pointer_type (generic_type type: (type_identifier) @of))
  ]))
  name: (_) @name) @func
(type_spec name: (_) @name) @type
(type_alias name: (_) @name) @type
(field_declaration name: (_) @name) @field
(source_file (const_declaration (const_spec name: (identifier) @name) @const))
(source_file (var_declaration (var_spec name: (identifier) @name) @var))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @var)))
