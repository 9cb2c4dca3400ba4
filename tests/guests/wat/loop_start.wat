;; Never comes back from the start function: the host has not even got an instance yet.
(module
  (memory (export "memory") 1)
  (func $start (loop $forever (br $forever)))
  (start $start)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64) (unreachable)))
