; message: the test `{name}` tests nothing any more; bring its body back
; severity: error
; fires: when-marked
; within: deleted-test
; before: package a
; before| func TestOne(t *testing.T) { run(t, one) }
; fails: package a
; fails| func TestOne(t *testing.T) {}
; fails: package a
; fails| func TestOne(t *testing.T) {
; fails|   // later
; fails| }
; passes: package a
; passes| func TestOne(t *testing.T) { run(t, two) }
(function_declaration body: (block . "{" . (comment)* . "}")) @emptied-test
