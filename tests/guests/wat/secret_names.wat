;; A known secret in the names of what it imports and exports, and in those that a trap while it initialises tells.
(module
  (import "reglet_host" "AKIAQYLPMN5HFIQR7XYA" (func (param i64) (result i64)))
  (memory (export "memory") 1)
  (func $correct-horse-battery (export "_initialize") unreachable)
  (func (export "correct-horse-battery"))
  (func (export "AKIAQYLPMN5HFIQR7XYA"))
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64) (i64.const 0)))
