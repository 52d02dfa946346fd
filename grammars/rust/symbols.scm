; The named items of a file. The capture around an item is its kind; what an item lies in is part of its path.
(function_item name: (_) @name) @fn
(function_signature_item name: (_) @name) @fn
(struct_item name: (_) @name) @struct
(enum_item name: (_) @name) @enum
(union_item name: (_) @name) @union
(trait_item name: (_) @name) @trait
(type_item name: (_) @name) @type
(associated_type name: (_) @name) @type
(const_item name: (_) @name) @const
(static_item name: (_) @name) @static
(mod_item name: (_) @name) @mod
(macro_definition name: (_) @name) @macro
(field_declaration name: (_) @name) @field
(enum_variant name: (_) @name) @variant
(impl_item type: (type_identifier) @name) @impl
(impl_item type: (generic_type type: (type_identifier) @name)) @impl
(impl_item type: (scoped_type_identifier name: (_) @name)) @impl
