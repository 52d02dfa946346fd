; message: the test `{name}` does not run any more; let it run
; severity: error
; fires: when-marked
; within: deleted-test
; before: package a
; before| func TestOne(t *testing.T) { if one() != 1 { t.Fatal("not one") } }
; fails: package a
; fails| func TestOne(t *testing.T) {
; fails|   t.Skip("flaky")
; fails|   if one() != 1 { t.Fatal("not one") }
; fails| }
; fails: package a
; fails| func TestOne(t *testing.T) {
; fails|   t.SkipNow()
; fails|   if one() != 1 { t.Fatal("not one") }
; fails| }
; passes: package a
; passes| func TestOne(t *testing.T) {
; passes|   if testing.Short() { t.Skip("slow") }
; passes|   if one() != 1 { t.Fatal("not one") }
; passes| }
((function_declaration
  body: (block (statement_list (expression_statement (call_expression
    function: (selector_expression operand: (identifier) field: (field_identifier) @how)))))) @ignored-test
  (#match? @how "^Skip(f|Now)?$"))
