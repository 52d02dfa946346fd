; message: the test `{name}` does not run any more; let it run
; severity: error
; fires: when-marked
; within: deleted-test
; before: describe('sums', () => { it('adds', () => { expect(add(1, 1)).toBe(2) }) })
; fails: describe('sums', () => { it.skip('adds', () => { expect(add(1, 1)).toBe(2) }) })
; fails: describe('sums', () => { xit('adds', () => { expect(add(1, 1)).toBe(2) }) })
; fails: describe.skip('sums', () => { it('adds', () => { expect(add(1, 1)).toBe(2) }) })
; fails: describe('sums', () => { it.todo('adds') })
; fails: xdescribe('sums', () => { it('adds', () => { expect(add(1, 1)).toBe(2) }) })
; passes: describe('sums', () => { it.skipIf(windows)('adds', () => { expect(add(1, 1)).toBe(2) }) })
; passes: describe('sums', () => { it('adds', () => { skip(); expect(add(1, 1)).toBe(2) }) })
; before: it.skip('adds', () => { expect(add(1, 1)).toBe(2) })
; passes: it.skip('adds', () => { expect(add(1, 2)).toBe(3) })
((call_expression
  function: [(member_expression object: (identifier) @call property: (property_identifier) @how)
             (call_expression
               function: (member_expression
                 object: (member_expression
                   object: (identifier) @call property: (property_identifier) @how)))]) @ignored-test
  (#match? @call "^(it|test|describe|suite|context)$")
  (#match? @how "^(skip|todo)$"))
((call_expression
  function: (member_expression
    object: (member_expression object: (identifier) @call property: (property_identifier) @test)
    property: (property_identifier) @how)) @ignored-test
  (#eq? @call "Deno")
  (#eq? @test "test")
  (#match? @how "^(skip|ignore)$"))
((call_expression function: (identifier) @call) @ignored-test
  (#match? @call "^(xit|xtest|xdescribe|xcontext)$"))
