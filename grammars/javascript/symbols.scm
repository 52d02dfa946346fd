; The named items of a file. The capture around an item is its kind; what an item lies in is part of its path.
(function_declaration name: (_) @name) @function
(generator_function_declaration name: (_) @name) @function
(class_declaration name: (_) @name) @class
(method_definition name: (_) @name) @method
(field_definition property: (_) @name) @field
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @const)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @var)
(export_statement (lexical_declaration (variable_declarator name: (identifier) @name)) @const)
(export_statement (variable_declaration (variable_declarator name: (identifier) @name)) @var)
