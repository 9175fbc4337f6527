;; The four loops in which a network spends its time, four numbers at once. `kernels.ts` says what each does and holds
;; the same in JavaScript; the tests compare the two. Compiled into `kernels.gen.ts` by `scripts/kernels.js`.
;; All positions and steps are in bytes. A kernel may write up to 28 bytes beyond a pixel, which the next pixel then
;; overwrites; behind every tensor there is room for that.
(module
  (import "page" "memory" (memory 1))

  (func (export "dense")
    (param $from i32) (param $filter i32) (param $bias i32) (param $to i32)
    (param $rows i32) (param $columns i32) (param $rowStep i32) (param $columnStep i32)
    (param $runs i32) (param $runStep i32) (param $run i32)
    (param $wide i32) (param $filterStep i32) (param $least f32)
    (local $x i32) (local $at i32) (local $o i32) (local $w i32) (local $r i32) (local $start i32) (local $p i32)
    (local $end i32) (local $a v128) (local $b v128) (local $v v128) (local $min v128)
    (local.set $min (f32x4.splat (local.get $least)))
    (loop $eachRow
      (local.set $x (local.get $columns))
      (local.set $at (local.get $from))
      (loop $eachColumn
        (local.set $o (i32.const 0))
        (loop $eachBlock
          (local.set $a (v128.load (i32.add (local.get $bias) (local.get $o))))
          (local.set $b (v128.load offset=16 (i32.add (local.get $bias) (local.get $o))))
          (local.set $w (i32.add (local.get $filter) (local.get $o)))
          (local.set $r (local.get $runs))
          (local.set $start (local.get $at))
          (loop $eachRun
            (local.set $p (local.get $start))
            (local.set $end (i32.add (local.get $start) (local.get $run)))
            (loop $eachValue
              (local.set $v (v128.load32_splat (local.get $p)))
              (local.set $a (f32x4.add (local.get $a) (f32x4.mul (local.get $v) (v128.load (local.get $w)))))
              (local.set $b (f32x4.add (local.get $b) (f32x4.mul (local.get $v) (v128.load offset=16 (local.get $w)))))
              (local.set $w (i32.add (local.get $w) (local.get $filterStep)))
              (br_if $eachValue
                (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
            (local.set $start (i32.add (local.get $start) (local.get $runStep)))
            (br_if $eachRun (local.tee $r (i32.sub (local.get $r) (i32.const 1)))))
          (v128.store (i32.add (local.get $to) (local.get $o)) (f32x4.pmax (local.get $min) (local.get $a)))
          (v128.store offset=16 (i32.add (local.get $to) (local.get $o)) (f32x4.pmax (local.get $min) (local.get $b)))
          (br_if $eachBlock
            (i32.lt_u (local.tee $o (i32.add (local.get $o) (i32.const 32))) (local.get $filterStep))))
        (local.set $to (i32.add (local.get $to) (local.get $wide)))
        (local.set $at (i32.add (local.get $at) (local.get $columnStep)))
        (br_if $eachColumn (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      (local.set $from (i32.add (local.get $from) (local.get $rowStep)))
      (br_if $eachRow (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  (func (export "depthwise")
    (param $from i32) (param $filter i32) (param $to i32)
    (param $rows i32) (param $columns i32) (param $rowStep i32) (param $columnStep i32)
    (param $side i32) (param $lineStep i32) (param $depth i32)
    (local $x i32) (local $at i32) (local $c i32) (local $p i32) (local $w i32) (local $i i32) (local $j i32)
    (local $line i32) (local $sum v128)
    (loop $eachRow
      (local.set $x (local.get $columns))
      (local.set $at (local.get $from))
      (loop $eachColumn
        (local.set $c (i32.const 0))
        (loop $eachBlock
          (local.set $sum (v128.const f32x4 0 0 0 0))
          (local.set $w (i32.add (local.get $filter) (local.get $c)))
          (local.set $line (i32.add (local.get $at) (local.get $c)))
          (local.set $j (local.get $side))
          (loop $eachLine
            (local.set $p (local.get $line))
            (local.set $i (local.get $side))
            (loop $eachValue
              (local.set $sum
                (f32x4.add (local.get $sum) (f32x4.mul (v128.load (local.get $p)) (v128.load (local.get $w)))))
              (local.set $p (i32.add (local.get $p) (local.get $depth)))
              (local.set $w (i32.add (local.get $w) (local.get $depth)))
              (br_if $eachValue (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (local.set $line (i32.add (local.get $line) (local.get $lineStep)))
            (br_if $eachLine (local.tee $j (i32.sub (local.get $j) (i32.const 1)))))
          (v128.store (i32.add (local.get $to) (local.get $c)) (local.get $sum))
          (br_if $eachBlock
            (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 16))) (local.get $depth))))
        (local.set $to (i32.add (local.get $to) (local.get $depth)))
        (local.set $at (i32.add (local.get $at) (local.get $columnStep)))
        (br_if $eachColumn (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      (local.set $from (i32.add (local.get $from) (local.get $rowStep)))
      (br_if $eachRow (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  (func (export "add") (param $a i32) (param $b i32) (param $to i32) (param $bytes i32)
    (local $i i32)
    (loop $each
      (v128.store (i32.add (local.get $to) (local.get $i))
        (f32x4.add
          (v128.load (i32.add (local.get $a) (local.get $i)))
          (v128.load (i32.add (local.get $b) (local.get $i)))))
      (br_if $each (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (local.get $bytes)))))

  (func (export "relu") (param $from i32) (param $to i32) (param $bytes i32)
    (local $i i32)
    (loop $each
      (v128.store (i32.add (local.get $to) (local.get $i))
        (f32x4.pmax (v128.const f32x4 0 0 0 0) (v128.load (i32.add (local.get $from) (local.get $i)))))
      (br_if $each (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (local.get $bytes))))))
