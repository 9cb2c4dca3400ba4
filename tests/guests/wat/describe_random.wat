;; Says something else of itself each time it is asked.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\22name\22:\22describe_random\22,\22version\22:\22AAAAAAAA\22,\22capabilities\22:[{\22kind\22:\22env\22,\22pattern\22:\22A\22}]}")
  (func (export "allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "describe") (result i64)
    (local $i i32)
    (drop (call $random_get (i32.const 512) (i32.const 9)))
    ;; Eight letters of the version and the one of the pattern, each from A to P.
    (loop $letters
      (i32.store8 (i32.add (i32.const 1061) (local.get $i))
        (i32.add (i32.const 65) (i32.and (i32.const 15) (i32.load8_u (i32.add (i32.const 512) (local.get $i))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $letters (i32.lt_u (local.get $i) (i32.const 8))))
    (i32.store8 (i32.const 1112) (i32.add (i32.const 65) (i32.and (i32.const 15) (i32.load8_u (i32.const 520)))))
    (i64.const 0x4000000005d)))
