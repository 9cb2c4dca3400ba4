;; Logs without end.
(module
  (import "reglet_host" "log_message" (func $log_message (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 64) "{\22level\22:\22ERROR\22,\22message\22:\22look at me\22}")
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64)
    (loop $forever (call $log_message (i64.const 0x4000000028)) (br $forever))
    (unreachable)))
