; message: the test `{name}` asserts less than before
; severity: error
; fires: when-weaker
; within: deleted-test
; before: package a
; before| func TestOne(t *testing.T) { if one() != 1 { t.Fatalf("got %d", one()) }; if two() != 2 { t.Error("not two") } }
; fails: package a
; fails| func TestOne(t *testing.T) { if one() != 1 { t.Logf("got %d", one()) }; if two() != 2 { t.Error("not two") } }
; fails: package a
; fails| func TestOne(t *testing.T) { if two() != 2 { t.Error("not two") } }
; passes: package a
; passes| func TestOne(t *testing.T) { if one() != 1 || two() != 2 { t.Fatal("wrong") } }
; before: package a
; before| func TestOne(t *testing.T) { assert.Equal(t, 1, one()) }
; fails: package a
; fails| func TestOne(t *testing.T) { assert.NotNil(t, one()) }
; fails: package a
; fails| func TestOne(t *testing.T) { assert.True(t, true) }
; passes: package a
; passes| func TestOne(t *testing.T) { require.Equal(t, 1, one()) }
; Several patterns may match one assertion; the last one has the word.
((call_expression
  function: (selector_expression operand: (identifier) field: (field_identifier) @how)) @weakened-assertion
  (#match? @how "^(Error|Errorf|Fatal|Fatalf|Fail|FailNow)$")
  (#set! strength "3"))
((call_expression
  function: (selector_expression operand: (identifier) @package)) @weakened-assertion
  (#match? @package "^(assert|require)$")
  (#set! strength "3"))
((call_expression
  function: (selector_expression operand: (identifier) @package field: (field_identifier) @how)) @weakened-assertion
  (#match? @package "^(assert|require)$")
  (#match? @how "^(NotNil|NotEmpty|NotZero|True|False|NoError|Error)f?$")
  (#set! strength "1"))
((call_expression
  function: (selector_expression operand: (identifier) @package field: (field_identifier) @how)
  arguments: (argument_list . (_) . [(true) (false) (int_literal)])) @weakened-assertion
  (#match? @package "^(assert|require)$")
  (#match? @how "^(True|False|NotNil|NotZero)f?$")
  (#set! strength "0"))

; Helpers that assert.
((call_expression
  function: (identifier) @function
  arguments: (argument_list . (identifier))) @weakened-assertion
  (#match? @function "^(assert|check|expect|verify|must|require)")
  (#set! strength "3"))
