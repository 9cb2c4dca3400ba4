;; Asks for 4 GiB, is told no, and answers all the same: a refusal alone is no failure.
(module
  (memory (export "memory") 1)
  (data (i32.const 2048) "{\22status\22:true,\22data\22:{\22refused\22:1}}")
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64)
    (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (unreachable)))
    (i64.const 0x80000000024)))
