;; Calls itself without end, with locals that each frame has to keep.
(module
  (memory (export "memory") 1)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func $deeper (param i64 i64 i64) (result i64)
    (i64.add
      (call $deeper (i64.add (local.get 0) (i64.const 1)) (local.get 0) (local.get 1))
      (i64.mul (local.get 1) (local.get 2))))
  (func (export "observe") (param i32 i32) (result i64)
    (call $deeper (i64.const 0) (i64.const 0) (i64.const 0))))
