/// Things in a text that belong to a person, found by their form and, where there is one, their check digit.

public enum PersonalDatum: String, CaseIterable, Sendable {
    case email, phone, identity, card, address

    /// For help.
    public var what: String {
        switch self {
        case .email: "mail addresses"
        case .phone: "telephone numbers"
        case .identity: "Chinese identity numbers"
        case .card: "numbers of bank cards"
        case .address: "IPv4 addresses"
        }
    }

    /// What stands in its place.
    var mask: String { "[\(rawValue.uppercased())]" }

    /// The text with masks, or nil when there is nothing to mask.
    static func masked(_ text: String, _ wanted: Set<PersonalDatum>) -> String? {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var written = 0
        var position = 0
        while position < bytes.count {
            guard let found = PersonalDataScanner(bytes: bytes).find(position, wanted, notBefore: written) else {
                position += 1
                continue
            }
            result += bytes[written..<found.range.lowerBound]
            result += Array(found.datum.mask.utf8)
            written = found.range.upperBound
            position = written
        }
        guard written > 0 else { return nil }
        return String(decoding: result + bytes[written...], as: UTF8.self)
    }
}

private struct PersonalDataScanner {
    let bytes: [UInt8]

    /// What begins at a place, or for mail addresses has its @ there.
    func find(_ place: Int, _ wanted: Set<PersonalDatum>, notBefore start: Int) -> (range: Range<Int>, datum: PersonalDatum)? {
        let byte = bytes[place]
        if byte == 0x40 { return wanted.contains(.email) ? mail(place, start).map { ($0, .email) } : nil }
        guard isDigit(byte) || byte == 0x2B || byte == 0x28 else { return nil }
        if place > 0, isWordByte(bytes[place - 1]) { return nil }
        if wanted.contains(.address), let range = address(place) { return (range, .address) }
        return number(place, wanted)
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private func isLetter(_ byte: UInt8) -> Bool { byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A }
    private func isWordByte(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || byte == 0x5F }

    // MARK: Mail

    private func mail(_ at: Int, _ limit: Int) -> Range<Int>? {
        func isLocal(_ byte: UInt8) -> Bool { isWordByte(byte) || byte == 0x2E || byte == 0x25 || byte == 0x2B || byte == 0x2D }
        var first = at
        while first > limit, isLocal(bytes[first - 1]) { first -= 1 }
        while first < at, bytes[first] == 0x2E { first += 1 }
        var last = at + 1
        while last < bytes.count, isDigit(bytes[last]) || isLetter(bytes[last]) || bytes[last] == 0x2E || bytes[last] == 0x2D { last += 1 }
        while last > at + 1, bytes[last - 1] == 0x2E || bytes[last - 1] == 0x2D { last -= 1 }
        guard first < at, let dot = bytes[at + 1..<last].lastIndex(of: 0x2E), dot > at + 1, last - dot > 2,
            bytes[dot + 1..<last].allSatisfy(isLetter)
        else { return nil }
        return first..<last
    }

    // MARK: Addresses

    private func address(_ start: Int) -> Range<Int>? {
        // More points than three are a version or a section.
        if start > 1, bytes[start - 1] == 0x2E, isDigit(bytes[start - 2]) { return nil }
        var position = start
        for part in 0..<4 {
            let first = position
            while position < bytes.count, isDigit(bytes[position]), position - first < 4 { position += 1 }
            guard (1...3).contains(position - first), bytes[first..<position].reduce(0, { 10 * $0 + Int($1 - 0x30) }) < 256 else { return nil }
            if part < 3 {
                guard position < bytes.count, bytes[position] == 0x2E else { return nil }
                position += 1
            }
        }
        if position < bytes.count, isWordByte(bytes[position]) { return nil }
        if position + 1 < bytes.count, bytes[position] == 0x2E, isDigit(bytes[position + 1]) { return nil }
        return start..<position
    }

    // MARK: Numbers

    /// Digits without anything between them.
    private struct Group {
        var range: Range<Int>
        /// What stands between it and the group before: one space or hyphen; 0 for nothing, 1 for anything else.
        var separator: UInt8
    }

    private static let mostGroups = 7

    /// The longest number of groups from here on that is something.
    private func number(_ start: Int, _ wanted: Set<PersonalDatum>) -> (range: Range<Int>, datum: PersonalDatum)? {
        let groups = groups(start)
        guard !groups.isEmpty else { return nil }
        for count in stride(from: groups.count, to: 0, by: -1) {
            let part = groups.prefix(count)
            guard let last = part.last else { continue }
            var end = last.range.upperBound
            let digits = part.flatMap { bytes[$0.range].map { $0 - 0x30 } }
            let next = end < bytes.count ? bytes[end] : 0x20
            if wanted.contains(.identity), count == 1, bytes[start] != 0x2B, bytes[start] != 0x28 {
                let hasX = next | 0x20 == 0x78
                let after = end + 1 < bytes.count ? bytes[end + 1] : 0x20
                if isIdentity(digits + (hasX ? [10] : [])), hasX ? !isWordByte(after) : !isWordByte(next) {
                    if hasX { end += 1 }
                    return (start..<end, .identity)
                }
            }
            if isWordByte(next) || isJoined(start, end) { continue }
            if wanted.contains(.card), bytes[start] != 0x2B, bytes[start] != 0x28, isCard(digits, Array(part)) { return (start..<end, .card) }
            if wanted.contains(.phone), isPhone(digits, Array(part), start) { return (start..<end, .phone) }
        }
        return nil
    }

    /// Part of a decimal number, or of a longer one with hyphens.
    private func isJoined(_ start: Int, _ end: Int) -> Bool {
        func joins(_ byte: UInt8) -> Bool { byte == 0x2D || byte == 0x2E }
        if start > 1, joins(bytes[start - 1]), isDigit(bytes[start - 2]) { return true }
        return end + 1 < bytes.count && joins(bytes[end]) && isDigit(bytes[end + 1])
    }

    /// The lengths of groups with the same single space or hyphen between all of them; nil for others.
    private func lengths(_ groups: ArraySlice<Group>) -> [Int]? {
        let separators = groups.dropFirst().map(\.separator)
        guard separators.allSatisfy({ $0 > 1 && $0 == separators.first }) else { return nil }
        return groups.map(\.range.count)
    }

    private func groups(_ start: Int) -> [Group] {
        var groups: [Group] = []
        var position = start
        if bytes[position] == 0x2B { position += 1 }
        while groups.count < Self.mostGroups {
            let gap = position
            while position < bytes.count, position - gap < 2, [0x20, 0x2D, 0x28, 0x29].contains(bytes[position]) { position += 1 }
            let first = position
            while position < bytes.count, isDigit(bytes[position]) { position += 1 }
            if position == first { break }
            if groups.isEmpty, first > start + 1 { break }
            let separator: UInt8 = first == gap ? 0 : first - gap == 1 && (bytes[gap] == 0x20 || bytes[gap] == 0x2D) ? bytes[gap] : 1
            groups.append(Group(range: first..<position, separator: separator))
        }
        return groups
    }

    /// Eighteen digits, a possible date of birth, and the check digit of ISO 7064 MOD 11-2; 10 stands for X.
    private func isIdentity(_ digits: [UInt8]) -> Bool {
        guard digits.count == 18, digits.prefix(17).allSatisfy({ $0 < 10 }), digits[0] > 0 else { return false }
        let month = Int(digits[10]) * 10 + Int(digits[11]), day = Int(digits[12]) * 10 + Int(digits[13])
        guard (1...12).contains(month), (1...31).contains(day), digits[6] == 1 || digits[6] == 2 else { return false }
        var sum = 0
        for digit in digits { sum = (sum * 2 + Int(digit)) % 11 }
        return sum == 1
    }

    /// Thirteen to nineteen digits, whole or in the groups that cards are printed with, with Luhn's check digit, of the issuers that there
    /// are.
    private func isCard(_ digits: [UInt8], _ groups: [Group]) -> Bool {
        guard let lengths = lengths(groups[...]), (13...19).contains(digits.count), (3...6).contains(digits[0]) else { return false }
        guard lengths.count == 1 || [[4, 4, 4, 4], [4, 4, 4, 4, 3], [4, 6, 5]].contains(lengths) else { return false }
        var sum = 0
        for (index, digit) in digits.reversed().enumerated() {
            let doubled = index % 2 == 1 ? Int(digit) * 2 : Int(digit)
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        return sum % 10 == 0
    }

    private func isPhone(_ digits: [UInt8], _ groups: [Group], _ start: Int) -> Bool {
        // With a country, groups are as each country has them.
        if bytes[start] == 0x2B { return (groups.count == 1 ? 10...15 : 8...15).contains(digits.count) && digits[0] > 0 }
        if bytes[start] == 0x28 { return isLandLine(digits, groups, start) }
        return isMobile(digits[...], groups[...]) || isLandLine(digits, groups, start)
    }

    /// Chinese mobile numbers, whole or in groups of three, four and four, with or without the country.
    private func isMobile(_ digits: ArraySlice<UInt8>, _ groups: ArraySlice<Group>) -> Bool {
        if digits.starts(with: [8, 6]), let first = groups.first {
            if groups.count == 1 { return isMobile(digits.dropFirst(2)) }
            if first.range.count == 2 { return isMobile(digits.dropFirst(2), groups.dropFirst()) }
        }
        return isMobile(digits) && [[11], [3, 4, 4]].contains(lengths(groups))
    }

    private func isMobile(_ digits: ArraySlice<UInt8>) -> Bool {
        digits.count == 11 && digits.first == 1 && digits[digits.startIndex + 1] >= 3
    }

    /// Chinese land lines and North American numbers: their area has brackets or a hyphen, as plain numbers have not.
    private func isLandLine(_ digits: [UInt8], _ groups: [Group], _ start: Int) -> Bool {
        let counts = groups.map(\.range.count)
        guard groups.count > 1 else { return false }
        let hasBrackets = bytes[start] == 0x28 && bytes[groups[0].range.upperBound] == 0x29
        guard hasBrackets || bytes[start] != 0x28 && groups[1].separator == 0x2D && lengths(groups[...]) != nil else { return false }
        if counts.count == 2 { return digits[0] == 0 && (3...4).contains(counts[0]) && (7...8).contains(counts[1]) }
        return counts == [3, 3, 4] && digits[0] > 1 && digits[3] > 1
    }
}
