; message: the test `{name}` is gone while what it tests is still there; bring it back
; severity: error
; fires: when-gone
; before: fn f() -> u8 { 1 }
; before| #[test]
; before| fn one() { assert_eq!(f(), 1); }
; fails: fn f() -> u8 { 1 }
; fails: fn f() -> u8 { 1 }
; fails| fn one() { assert_eq!(f(), 1); }
; passes: fn f() -> u8 { 1 }
; passes| #[test]
; passes| fn it_is_one() { assert_eq!(f(), 1); }
; passes: fn g() -> u8 { 2 }
; before: #[tokio::test]
; before| #[should_panic]
; before| async fn one() { f().await; }
; fails: async fn f() {}
((function_item name: (identifier) @name) @deleted-test
  (#preceded-by? @deleted-test "attribute_item"
    "^#\\[\\s*([a-z0-9_]+\\s*::\\s*)*(test|rstest|test_case|test_log|quickcheck|wasm_bindgen_test)\\b"))
