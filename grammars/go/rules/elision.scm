; message: this comment stands for code that was left out; write the code in full
; severity: error
; file: a.go
; fails: package a
; fails| // ... rest of the code
; fails: package a
; fails| // existing code unchanged
; fails: package a
; fails| func a() { /* ... */ }
; passes: package a
; passes| // the rest of the plan is in todo.md
; passes: package a
; passes| func a(b ...int) {}
((comment) @elision
  (#match? @elision "(?i)^(//+|/[*]+)\\s*((\\.{3,}|…)\\s*([*]/)?\\s*$|(\\.{3,}|…)\\s*\\(?(the\\s+)?(rest|existing|other|remaining|previous|same|unchanged|implementation|code|omitted|keep|as before|snip)\\b|\\(?(the\\s+)?(rest|remainder)\\s+(of\\s+(the\\s+|this\\s+|your\\s+)?\\w+\\s+)?(((remains?|stays?|is|are)\\s+)?(the same|unchanged|as (before|is|it was)|omitted|identical|here)|goes\\s|\\.{3}|…)|\\(?(the\\s+)?(existing|previous|original|remaining)\\s+(code|implementation|methods?|functions?|logic|content|imports?|fields?)\\s*(\\.{3}|…|here|unchanged|remains?|stays?|goes|omitted|as before|[*]/|\\)|$)|(code|implementation|rest)\\s+(is\\s+)?(omitted|elided|unchanged|snipped)|\\(?(unchanged|same as before|omitted for brevity|snip|no changes?( here)?)\\)?\\s*(\\.{3}|…|[*]/)?\\s*$)"))
