;; Wants 512 MiB before anything runs.
(module
  (memory (export "memory") 8192)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64) (unreachable)))
