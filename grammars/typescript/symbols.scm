; The named items of a file. The capture around an item is its kind; what an item lies in is part of its path.
(function_declaration name: (_) @name) @function
(generator_function_declaration name: (_) @name) @function
(function_signature name: (_) @name) @function
(class_declaration name: (_) @name) @class
(abstract_class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @interface
(type_alias_declaration name: (_) @name) @type
(enum_declaration name: (_) @name) @enum
(internal_module name: (_) @name) @namespace
(method_definition name: (_) @name) @method
(method_signature name: (_) @name) @method
(abstract_method_signature name: (_) @name) @method
(public_field_definition name: (_) @name) @field
(property_signature name: (_) @name) @field
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @const)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @var)
(export_statement (lexical_declaration (variable_declarator name: (identifier) @name)) @const)
(export_statement (variable_declaration (variable_declarator name: (identifier) @name)) @var)
