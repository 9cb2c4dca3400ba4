;; Counts its calls in memory, in a global and in a table: whoever finds another number than 1 was served a used instance.
(module
  (memory (export "memory") 2)
  (table $calls_too 16 funcref)
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 1024) "{\22name\22:\22counter\22,\22version\22:\221.0.0\22,\22description\22:\22Counts its calls\22,\22capabilities\22:[]}")
  (data (i32.const 1280) "{\22$schema\22:\22https://json-schema.org/draft/2020-12/schema\22,\22type\22:\22object\22,\22properties\22:{}}")
  (data (i32.const 2048) "{\22status\22:true,\22data\22:{\22calls\22:0,\22in_memory\22:0,\22in_table\22:0}}")

  (func $count
    (local $in_table i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
    ;; The table's own count: slots that are not null, and one more.
    (block $found
      (loop $next
        (br_if $found (ref.is_null (table.get $calls_too (local.get $in_table))))
        (local.set $in_table (i32.add (local.get $in_table) (i32.const 1)))
        (br $next)))
    (table.set $calls_too (local.get $in_table) (ref.func $count))
    (i32.store8 (i32.const 2079) (i32.add (i32.const 0x30) (global.get $calls)))
    (i32.store8 (i32.const 2093) (i32.add (i32.const 0x30) (i32.load (i32.const 512))))
    (i32.store8 (i32.const 2106) (i32.add (i32.const 0x31) (local.get $in_table))))
  (elem declare func $count)

  ;; Memory for the host: always the second page.
  (func (export "allocate") (param $size i32) (result i32)
    (select (i32.const 65536) (i32.const 0) (i32.le_u (local.get $size) (i32.const 65536))))
  (func (export "deallocate") (param i32 i32))
  (func (export "describe") (result i64) (call $count) (i64.const 0x40000000057))
  (func (export "schema") (result i64) (call $count) (i64.const 0x5000000005a))
  (func (export "observe") (param i32 i32) (result i64) (call $count) (i64.const 0x8000000003d)))
