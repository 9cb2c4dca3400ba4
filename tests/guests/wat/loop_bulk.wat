;; Fills 128 MiB again and again: the engine looks at the deadline only between two fills.
(module
  (memory (export "memory") 2048)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64)
    (loop $forever
      (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 0x8000000))
      (br $forever))
    (unreachable)))
