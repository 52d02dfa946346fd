; message: the test `{name}` asserts less than before
; severity: error
; fires: when-weaker
; within: deleted-test
; before: #[test]
; before| fn one() { let x = f(); assert_eq!(x.a, 1); assert_eq!(x.b, 2); }
; fails: #[test]
; fails| fn one() { let x = f(); assert!(true); assert_eq!(x.b, 2); }
; fails: #[test]
; fails| fn one() { let x = f(); assert_eq!(1, 1); assert_eq!(x.b, 2); }
; fails: #[test]
; fails| fn one() { let x = f(); assert_eq!(x.b, 2); }
; fails: #[test]
; fails| fn one() { let x = f(); assert!(x.a.is_some()); assert_eq!(x.b, 2); }
; passes: #[test]
; passes| fn one() { let x = f(); assert_eq!((x.a, x.b), (1, 2)); }
; passes: #[test]
; passes| fn one() { let y = f(); assert!(y.a == 1); assert_eq!(y.b, 2); }
; before: #[test]
; before| fn one() { assert_eq!(f(), true); }
; passes: #[test]
; passes| fn one() { assert!(f()); }
; Several patterns may match one assertion; the last one has the word.
((macro_invocation
  macro: [(identifier) @macro (scoped_identifier name: (identifier) @macro)]) @weakened-assertion
  (#match? @macro "^(debug_|prop_)?assert|(^|_)eq|^(matches|panic|unreachable)$")
  (#set! strength "2"))
((macro_invocation
  macro: [(identifier) @macro (scoped_identifier name: (identifier) @macro)]) @weakened-assertion
  (#match? @macro "(^|_)(eq|ne)|snapshot|matches|_contains")
  (#set! strength "3"))
((macro_invocation
  macro: (identifier) @macro (token_tree) @tokens) @weakened-assertion
  (#match? @macro "^(debug_)?assert$")
  (#match? @tokens "[=!<>]=| [<>] |matches!|is_none|is_empty|is_err|contains|_with")
  (#set! strength "3"))
((macro_invocation
  macro: (identifier) @macro (token_tree) @tokens) @weakened-assertion
  (#match? @macro "^(debug_)?assert_(eq|ne)$")
  (#match? @tokens "^[(]\\s*(true|false)\\s*,|,\\s*(true|false)\\s*,?\\s*[)]$")
  (#set! strength "2"))
((macro_invocation
  macro: (identifier) @macro (token_tree) @tokens) @weakened-assertion
  (#match? @macro "^(debug_)?assert$")
  (#match? @tokens "^[^=!<>]*[.](is_ok|is_some)[(][)]\\s*(,[^)]*)?[)]$")
  (#set! strength "1"))
((macro_invocation
  macro: (identifier) @macro (token_tree) @tokens) @weakened-assertion
  (#match? @macro "^(debug_)?assert$")
  (#match? @tokens "^[(]\\s*(true|!\\s*false)\\s*[,)]")
  (#set! strength "0"))
((macro_invocation
  macro: (identifier) @macro
  (token_tree . "(" . (_) @left . "," . (_) @right . [")" ","])) @weakened-assertion
  (#match? @macro "^(debug_)?assert_eq$")
  (#eq? @left @right)
  (#set! strength "0"))
((macro_invocation
  macro: (identifier) @macro
  (token_tree . "(" . (_) @left . "==" . (_) @right . [")" ","])) @weakened-assertion
  (#match? @macro "^(debug_)?assert$")
  (#eq? @left @right)
  (#set! strength "0"))

; Helpers that assert.
((call_expression
  function: [(identifier) @function
             (scoped_identifier name: (identifier) @function)
             (field_expression field: (field_identifier) @function)]) @weakened-assertion
  (#match? @function "^(assert|check|expect_|verify|ensure|should)")
  (#set! strength "3"))
