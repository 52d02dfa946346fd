; message: a placeholder is not an implementation; write the body
; severity: error
; fails: fn a() -> u32 { todo!() }
; fails: fn a() { unimplemented!("later") }
; fails: fn a() { std::todo!() }
; fails: fn a() { panic!("not implemented") }
; fails: fn a() { panic!("Not yet implemented: {}", 1) }
; fails: fn a() { // TODO: implement
; fails| }
; passes: fn a() { panic!("the index {} is not below the length", 1) }
; passes: fn a() { // TODO: a faster way
; passes|   b() }
; passes: fn todo() { list.todo(); }
(macro_invocation
  macro: [(identifier) @name (scoped_identifier name: (identifier) @name)]
  (#any-of? @name "todo" "unimplemented")) @placeholder

(macro_invocation
  macro: (identifier) @name
  (token_tree . (string_literal) @text)
  (#eq? @name "panic")
  (#match? @text "(?i)^.\\s*(todo|unimplemented|not\\s+(yet\\s+)?implemented)")) @placeholder

(function_item
  body: (block . [(line_comment) (block_comment)] @placeholder .)
  (#match? @placeholder "(?i)\\b(todo|fixme|implement)"))
