; message: the test `{name}` tests nothing any more; bring its body back
; severity: error
; fires: when-marked
; within: deleted-test
; before: #[test]
; before| fn one() { f().unwrap(); }
; fails: #[test]
; fails| fn one() {}
; fails: #[test]
; fails| fn one() { /* later */ }
; passes: #[test]
; passes| fn one() { g().unwrap(); }
(function_item
  body: (block . "{" . [(line_comment) (block_comment)]* . "}")) @emptied-test
