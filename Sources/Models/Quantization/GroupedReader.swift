import Tensors

/// Brings GPTQ's and AWQ's packed integers into rows: one pass over a tensor while it is loaded.
///
///     GPTQ  qweight int32 [in * bits / 32, out]   codes of a column lie along `in`, as a stream of bits
///           qzeros  int32 [groups, out * bits / 32]
///           scales  f16   [groups, out]
///           g_idx   int32 [in]                    each input's group; not in order with desc_act
///     AWQ   qweight int32 [in, out / 8]           eight outputs in a word, in the order 0 2 4 6 1 3 5 7
///           qzeros  int32 [groups, out / 8]
struct GroupedReader {
    let weight: WeightDescription
    let tensors: StoredTensors
    let bits: Int
    /// Nil: one group.
    let groupSize: Int?

    private var inputs: Int { weight.shape[1] }
    private var outputs: Int { weight.shape[0] }
    private var size: Int { groupSize ?? inputs }
    private var groups: Int { (inputs + size - 1) / size }
    private var module: String { weight.module + "." }
    /// Codes of three bits are kept in four.
    private var keptBits: Int { bits == 3 ? 4 : bits }

    func gptq(zeroOffset: Int) throws(ModelError) -> QuantizedMatrix {
        let packed = try tensors.integers(module + "qweight", shape: [words(inputs), outputs])
        let packedZeros = try tensors.integers(module + "qzeros", shape: [groups, words(outputs)])
        let codes = Tensor.zeros([outputs, rowBytes], .uint8)
        pack(into: codes) { column, lane in
            let base = packed.address.assumingMemoryBound(to: UInt32.self)
            return code(at: column) { Int(base[$0 * outputs + lane]) }
        }
        let zeros = Tensor.zeros([outputs, groups, MemoryLayout<UInt16>.size], .uint8)
        let zeroWords = packedZeros.address.assumingMemoryBound(to: UInt32.self), mask = (1 << bits) - 1
        write(zeros) { group, output in
            (code(at: output) { Int(zeroWords[group * words(outputs) + $0]) } + zeroOffset) & mask
        }
        return .grouped(
            shape: weight.shape, bits: keptBits, groupSize: size, codes: codes, scales: try scales(), zeros: zeros, groupOf: try groupOf())
    }

    func awq() throws(ModelError) -> QuantizedMatrix {
        guard outputs % 8 == 0 else {
            throw .unsupported(
                file: tensors.reader.mainFile, what: "\(weight.name): \(outputs) outputs in words of eight", whatToDo: "Use the full checkpoint.")
        }
        let packed = try tensors.integers(module + "qweight", shape: [inputs, outputs / 8])
        let packedZeros = try tensors.integers(module + "qzeros", shape: [groups, outputs / 8])
        // Output 8 w + i is in this nibble of word w.
        let place = [0, 4, 1, 5, 2, 6, 3, 7]
        let base = packed.address.assumingMemoryBound(to: UInt32.self), width = outputs / 8
        let codes = Tensor.zeros([outputs, rowBytes], .uint8)
        pack(into: codes) { column, lane in Int(base[column * width + lane / 8] >> UInt32(4 * place[lane % 8])) & 15 }
        let zeros = Tensor.zeros([outputs, groups, MemoryLayout<UInt16>.size], .uint8)
        let zeroWords = packedZeros.address.assumingMemoryBound(to: UInt32.self)
        write(zeros) { group, output in Int(zeroWords[group * width + output / 8] >> UInt32(4 * place[output % 8])) & 15 }
        return .grouped(
            shape: weight.shape, bits: 4, groupSize: size, codes: codes, scales: try scales(), zeros: zeros, groupOf: nil)
    }

    // MARK: Parts

    private var rowBytes: Int { (inputs * keptBits + 7) / 8 }

    private func words(_ count: Int) -> Int { (count * bits + 31) / 32 }

    /// Number `index` of a stream of codes that may cross words.
    private func code(at index: Int, _ word: (Int) -> Int) -> Int {
        let bit = index * bits, number = bit / 32, shift = bit % 32
        var value = word(number) >> shift
        if shift + bits > 32 { value |= word(number + 1) << (32 - shift) }
        return value & ((1 << bits) - 1)
    }

    private func pack(into codes: Tensor, _ code: (_ column: Int, _ output: Int) -> Int) {
        let to = codes.address.assumingMemoryBound(to: UInt8.self), perByte = 8 / keptBits
        // A block of outputs at a time, so that both sides stay in the cache.
        for first in stride(from: 0, to: outputs, by: 16) {
            for column in 0..<inputs {
                for output in first..<min(first + 16, outputs) {
                    to[output * rowBytes + column / perByte] |= UInt8(truncatingIfNeeded: code(column, output) << (column % perByte * keptBits))
                }
            }
        }
    }

    private func write(_ zeros: Tensor, _ zero: (_ group: Int, _ output: Int) -> Int) {
        let to = zeros.address.assumingMemoryBound(to: UInt16.self)
        for group in 0..<groups {
            for output in 0..<outputs { to[output * groups + group] = UInt16(truncatingIfNeeded: zero(group, output)) }
        }
    }

    private func scales() throws(ModelError) -> Tensor {
        try tensors.floats(module + "scales", shape: [groups, outputs]).transposed()
    }

    /// Nil where the groups follow each other.
    private func groupOf() throws(ModelError) -> Tensor? {
        guard tensors.contains(module + "g_idx") else { return nil }
        let found = try tensors.integers(module + "g_idx", shape: [inputs])
        let numbers = found.integers()
        if numbers.enumerated().allSatisfy({ Int($1) == $0 / size }) { return nil }
        guard let strange = numbers.first(where: { $0 < 0 || Int($0) >= groups }) else { return found }
        throw .invalidKey(
            file: tensors.reader.mainFile, key: module + "g_idx", expected: "groups below \(groups)", found: String(strange))
    }
}
