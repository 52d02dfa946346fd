; The named items of a file. The capture around an item is its kind; what an item lies in is part of its path.
(function_definition name: (_) @name) @def
(class_definition name: (_) @name) @class
(module (expression_statement (assignment left: (identifier) @name)) @variable)
(class_definition body: (block (expression_statement (assignment left: (identifier) @name)) @field))
