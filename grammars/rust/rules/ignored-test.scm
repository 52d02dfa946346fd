; message: the test `{name}` does not run any more; let it run
; severity: error
; fires: when-marked
; within: deleted-test
; before: #[test]
; before| fn one() { assert_eq!(f(), 1); }
; fails: #[test]
; fails| #[ignore]
; fails| fn one() { assert_eq!(f(), 1); }
; fails: #[ignore = "flaky"]
; fails| #[test]
; fails| fn one() { assert_eq!(f(), 1); }
; fails: #[test]
; fails| #[cfg(any())]
; fails| fn one() { assert_eq!(f(), 1); }
; passes: #[test]
; passes| #[cfg(unix)]
; passes| fn one() { assert_eq!(f(), 1); }
; before: #[test]
; before| #[ignore]
; before| fn one() { assert_eq!(f(), 1); }
; passes: #[test]
; passes| #[ignore = "it needs a network"]
; passes| fn one() { assert_eq!(f(), 1); }
((attribute_item (attribute (identifier) @attribute)) @ignored-test
  (#eq? @attribute "ignore"))
((attribute_item (attribute (identifier) @attribute arguments: (token_tree) @when)) @ignored-test
  (#eq? @attribute "cfg")
  (#match? @when "^[(]\\s*(any\\s*[(]\\s*[)]|false|FALSE)\\s*[)]$"))
