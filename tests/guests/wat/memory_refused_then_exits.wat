;; Asks for 4 GiB, is told no, and exits with 5: a plugin that got too little memory, or a command that ended by itself.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func $give_up (drop (memory.grow (i32.const 65535))) (call $proc_exit (i32.const 5)))
  (func (export "_start") (call $give_up))
  (func (export "observe") (param i32 i32) (result i64) (unreachable)))
