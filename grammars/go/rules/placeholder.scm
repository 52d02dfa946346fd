; message: a placeholder is not an implementation; write the body
; severity: error
; fails: package a
; fails| func a() int { panic("TODO") }
; fails: package a
; fails| func a() int { panic("not implemented: a") }
; fails: package a
; fails| func a() error { return errors.New("not implemented") }
; fails: package a
; fails| func a() { // TODO: implement
; fails| }
; passes: package a
; passes| func a() { panic("the index is out of range") }
; passes: package a
; passes| func a() {}
; passes: package a
; passes| func a() { // TODO: a faster way
; passes|   b() }
(call_expression
  function: (identifier) @call
  arguments: (argument_list . [(interpreted_string_literal) (raw_string_literal)] @text)
  (#eq? @call "panic")
  (#match? @text "(?i)^.\\s*(todo|unimplemented|not\\s+(yet\\s+)?implemented|implement\\s+me)")) @placeholder

; A body that is nothing but the news that there is none.
([(function_declaration body: (block . (statement_list . (return_statement (expression_list (call_expression arguments: (argument_list . (interpreted_string_literal) @text)) @placeholder)) .)))
  (method_declaration body: (block . (statement_list . (return_statement (expression_list (call_expression arguments: (argument_list . (interpreted_string_literal) @text)) @placeholder)) .)))]
  (#match? @text "(?i)^.\\s*(todo\\b|unimplemented|not\\s+(yet\\s+)?implemented)"))

([(function_declaration body: (block . (comment) @placeholder .))
  (method_declaration body: (block . (comment) @placeholder .))]
  (#match? @placeholder "(?i)\\b(todo|fixme|implement)"))
