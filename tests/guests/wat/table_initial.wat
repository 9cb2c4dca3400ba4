;; Wants four million table elements before anything runs.
(module
  (memory (export "memory") 1)
  (table 4000000 funcref)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64) (unreachable)))
