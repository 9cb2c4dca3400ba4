;; Two tables, each within the limit for all of them together.
(module
  (memory (export "memory") 1)
  (table 600000 funcref)
  (table 600000 funcref)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64) (unreachable)))
