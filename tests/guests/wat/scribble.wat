;; Writes wherever chance takes it, and ends in any way there is. Before each call it looks whether memory and globals are
;; what initialising left: where they are not, allocate answers 0; where grown memory is not zero, observe does.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 128)
  (data (i32.const 65530) "over the edge of a page")
  (data (i32.const 65534) "the later one wins")
  (data (i32.const 8388600) "the end.")
  (data (i32.const 8388608) "")
  (global $sum (mut i64) (i64.const 0))
  (global $random (mut i32) (i32.const 12345))
  (global $single (mut f32) (f32.const 1))
  (global $constant f64 (f64.const 2))
  (global $double (mut f64) (f64.const 1))
  (global $exported (export "exported") (mut i64) (i64.const 1))

  (func $next (result i32) ;; xorshift32
    (global.set $random (i32.xor (global.get $random) (i32.shl (global.get $random) (i32.const 13))))
    (global.set $random (i32.xor (global.get $random) (i32.shr_u (global.get $random) (i32.const 17))))
    (global.set $random (i32.xor (global.get $random) (i32.shl (global.get $random) (i32.const 5))))
    (global.get $random))

  (func $bytes (result i32) (i32.shl (memory.size) (i32.const 16)))

  (func $sum_from (param $at i32) (result i64) (local $sum i64)
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $at) (call $bytes)))
        (local.set $sum
          (i64.add (i64.mul (local.get $sum) (i64.const 0x100000001b3)) (i64.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $more)))
    (local.get $sum))

  (func $scribble (param $times i32)
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $times)))
        (i32.store (i32.rem_u (call $next) (i32.sub (call $bytes) (i32.const 4))) (call $next))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br $more))))

  (func (export "_initialize")
    (drop (memory.grow (i32.const 3)))
    (call $scribble (i32.const 300))
    (global.set $random (i32.const 54321))
    (global.set $single (f32.reinterpret_i32 (i32.const 0x7fa00001))) ;; signalling, with a payload
    (global.set $double (f64.reinterpret_i64 (i64.const 0xfff4000000000123)))
    (global.set $exported (i64.const -2))
    (global.set $sum (call $sum_from (i32.const 0))))

  (func (export "allocate") (param i32) (result i32)
    (if (result i32)
      (i32.and
        (i32.and
          (i32.and (i32.eq (memory.size) (i32.const 131)) (i64.eq (global.get $sum) (call $sum_from (i32.const 0))))
          (i32.and (i32.eq (global.get $random) (i32.const 54321)) (i64.eq (global.get $exported) (i64.const -2))))
        (i32.and
          (i32.eq (i32.reinterpret_f32 (global.get $single)) (i32.const 0x7fa00001))
          (i64.eq (i64.reinterpret_f64 (global.get $double)) (i64.const 0xfff4000000000123))))
      (then (i32.const 4096))
      (else (i32.const 0))))

  (func (export "observe") (param i32 i32) (result i64) (local $end i32)
    (drop (call $random_get (i32.const 0) (i32.const 8)))
    (global.set $random (i32.or (i32.load (i32.const 0)) (i32.const 1)))
    (local.set $end (call $bytes))
    (drop (memory.grow (i32.and (i32.load (i32.const 4)) (i32.const 31))))
    (if (i64.ne (call $sum_from (local.get $end)) (i64.const 0)) (then (return (i64.const 0))))
    (call $scribble (i32.shr_u (call $next) (i32.const 20))) ;; up to 4095 places
    (global.set $single (f32.reinterpret_i32 (call $next)))
    (global.set $double (f64.promote_f32 (global.get $single)))
    (global.set $exported (i64.extend_i32_u (call $next)))
    (global.set $sum (i64.const 0))
    (block $return
      (block $loop
        (block $grow
          (block $trap
            (br_table $trap $grow $loop $return (i32.and (call $next) (i32.const 15))))
          (unreachable))
        (drop (memory.grow (i32.const 60000)))
        (unreachable))
      (loop $forever (br $forever)))
    (i64.store (i32.const 1024) (i64.const 0x737574617473227b)) ;; {"status
    (i64.store (i32.const 1032) (i64.const 0x207d657572743a22)) ;; ":true}
    (i64.const 0x0000040000000010)))
