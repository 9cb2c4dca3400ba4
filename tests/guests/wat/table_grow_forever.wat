;; Takes table elements, which are the host's memory and not the guest's, until it gets none; then it falls over.
(module
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64)
    (loop $more
      (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 10000)) (i32.const -1))))
    (unreachable)))
