; message: this comment stands for code that was left out; write the code in full
; severity: error
; fails: fn a() { /* ... */ }
; fails: // ... rest of the code
; fails: // existing code unchanged
; fails: // rest remains the same
; fails: // … existing code …
; fails: // (rest of the function unchanged)
; fails: // unchanged
; passes: // the rest of the plan is in todo.md
; passes: // Existing code paths call this twice.
; passes: /// a range such as ... is open
; passes: // e.g. 1, 2, ...
; passes: fn a() { let x = 1..=3; match x { _ => {} } }
([(line_comment) (block_comment)] @elision
  (#match? @elision "(?i)^(//+|/[*]+)\\s*((\\.{3,}|…)\\s*([*]/)?\\s*$|(\\.{3,}|…)\\s*\\(?(the\\s+)?(rest|existing|other|remaining|previous|same|unchanged|implementation|code|omitted|keep|as before|snip)\\b|\\(?(the\\s+)?(rest|remainder)\\s+(of\\s+(the\\s+|this\\s+|your\\s+)?\\w+\\s+)?(((remains?|stays?|is|are)\\s+)?(the same|unchanged|as (before|is|it was)|omitted|identical|here)|goes\\s|\\.{3}|…)|\\(?(the\\s+)?(existing|previous|original|remaining)\\s+(code|implementation|methods?|functions?|logic|content|imports?|fields?)\\s*(\\.{3}|…|here|unchanged|remains?|stays?|goes|omitted|as before|[*]/|\\)|$)|(code|implementation|rest)\\s+(is\\s+)?(omitted|elided|unchanged|snipped)|\\(?(unchanged|same as before|omitted for brevity|snip|no changes?( here)?)\\)?\\s*(\\.{3}|…|[*]/)?\\s*$)"))
