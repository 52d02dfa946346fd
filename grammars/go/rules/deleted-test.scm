; message: the test `{name}` is gone while what it tests is still there; bring it back
; severity: error
; fires: when-gone
; before: package a
; before| func TestOne(t *testing.T) { if one() != 1 { t.Fatal("not one") } }
; fails: package a
; fails: package a
; fails| func one() int { return 1 }
; passes: package a
; passes| func TestThatItIsOne(t *testing.T) { if one() != 1 { t.Fatal("not one") } }
((function_declaration
  name: (identifier) @name
  parameters: (parameter_list (parameter_declaration type: (pointer_type (qualified_type) @type)))) @deleted-test
  (#match? @name "^(Test|Fuzz)")
  (#match? @type "^testing[.](T|F)$"))
