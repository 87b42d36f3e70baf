/// The four Unicode normalization forms (UAX 15), over UTF-8.
///
/// Characters that a form leaves alone are copied; only the stretches around others are taken apart, put in order and composed:
/// from the character before the first such one to the next that surely begins anew.
enum NormalizationForm: Sendable {
    case nfc, nfd, nfkc, nfkd

    private var composes: Bool { self == .nfc || self == .nfkc }
    private var isCompatible: Bool { self == .nfkc || self == .nfkd }

    /// The text in this form, or nil when it is so already.
    func apply(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard let base = text.baseAddress else { return nil }
        let count = text.count
        var result: [UInt8] = []
        var written = 0
        var previous = 0
        var position = 0
        while position < count {
            let length = plainLength(base, position, count)
            if length > 0 {
                previous = position
                position += length
                continue
            }
            let start = max(written, previous)
            var end = position
            while end < count, plainLength(base, end, count) == 0 { end += min(UTF8Text.length(base[end]), count - end) }
            if result.isEmpty { result.reserveCapacity(count + count / 8 + 16) }
            result.append(contentsOf: UnsafeBufferPointer(rebasing: text[written..<start]))
            appendForm(of: base, start, end, to: &result)
            written = end
            previous = end
            position = end
        }
        if written == 0 { return nil }
        result.append(contentsOf: UnsafeBufferPointer(rebasing: text[written...]))
        return result
    }

    func apply(_ text: [UInt8]) -> [UInt8] { text.withUnsafeBufferPointer { apply($0) } ?? text }

    /// Length of the character at `position` when it stays as it is and joins nothing before it, else 0.
    @inline(__always)
    private func plainLength(_ base: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> Int {
        let first = base[position]
        if first < 0x80 { return 1 }
        // Ideographs and most of the symbols need no look at the tables (U+3400...U+4DFF, U+4E00...U+9FFF).
        if first >= 0xE4, first <= 0xE9, position + 2 < end { return 3 }
        return tablePlainLength(base, position, end)
    }

    private func tablePlainLength(_ base: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> Int {
        let (scalar, length) = UTF8Text.scalar(base, position, end)
        let flags = UnicodeMappings.shared.flags(scalar)
        switch self {
        case .nfc: return flags.isDisjoint(with: [.decomposesForGood, .joinsPrevious, .combining]) ? length : 0
        case .nfkc: return flags.isDisjoint(with: [.decomposesForGood, .joinsPrevious, .combining, .compatibility]) ? length : 0
        case .nfd:
            return flags.isDisjoint(with: [.canonical, .combining]) && !(scalar >= 0xAC00 && scalar <= 0xD7A3) ? length : 0
        case .nfkd:
            return flags.isDisjoint(with: [.canonical, .combining, .compatibility]) && !(scalar >= 0xAC00 && scalar <= 0xD7A3) ? length : 0
        }
    }

    private func appendForm(of base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, to output: inout [UInt8]) {
        let mappings = UnicodeMappings.shared
        var scalars: [UInt32] = []
        var position = start
        while position < end {
            let next = UTF8Text.scalar(base, position, end)
            mappings.appendDecomposition(next.value, compatible: isCompatible, to: &scalars)
            position += next.length
        }
        var classes = scalars.map { mappings.combiningClass($0) }
        NormalizationForm.order(&scalars, &classes)
        if composes { NormalizationForm.compose(&scalars, &classes, mappings) }
        for scalar in scalars { UTF8Text.append(scalar, to: &output) }
    }

    /// Sorts each run of combining marks by class, keeping the order of equal ones.
    private static func order(_ scalars: inout [UInt32], _ classes: inout [UInt8]) {
        var index = 0
        while index < scalars.count {
            guard classes[index] > 0 else {
                index += 1
                continue
            }
            let start = index
            while index < scalars.count, classes[index] > 0 { index += 1 }
            if index - start == 1 { continue }
            let sorted = (start..<index).sorted { (classes[$0], $0) < (classes[$1], $1) }
            let (marks, values) = (sorted.map { scalars[$0] }, sorted.map { classes[$0] })
            scalars.replaceSubrange(start..<index, with: marks)
            classes.replaceSubrange(start..<index, with: values)
        }
    }

    private static func compose(_ scalars: inout [UInt32], _ classes: inout [UInt8], _ mappings: UnicodeMappings) {
        var written = 0
        var starter = -1
        var lastClass: UInt8 = 0
        for index in 0..<scalars.count {
            let scalar = scalars[index]
            let current = classes[index]
            if starter >= 0 {
                // Nothing of the same or a higher class may stand between, and nothing at all before another starter.
                let isAdjacent = written == starter + 1
                if isAdjacent || (lastClass < current && lastClass != 0), let joined = mappings.composition(scalars[starter], scalar) {
                    scalars[starter] = joined
                    continue
                }
            }
            scalars[written] = scalar
            if current == 0 { starter = written }
            lastClass = current
            written += 1
        }
        scalars.removeLast(scalars.count - written)
    }
}
