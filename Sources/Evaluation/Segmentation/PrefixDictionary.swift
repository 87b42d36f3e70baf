/// Words with their frequencies, kept so that every prefix of a word can be followed letter by letter: the structure behind
/// jieba's word graph.
///
///     root -T-> . -恤-> "T恤" 3        a node exists for every prefix; its frequency is 0 unless it is a word itself

import Glibc
import Platform

struct PrefixDictionary: Sendable {
    /// Frequency of the word that ends at each node; node 0 is the root.
    private var frequencies: [Int] = [0]
    /// (node << 32 | code point) to the next node.
    private var children: [UInt64: UInt32] = [:]
    /// Sum of all frequencies as written, duplicates included.
    private(set) var total = 0

    static let root: UInt32 = 0

    mutating func add(_ word: some Sequence<Unicode.Scalar>, frequency: Int) {
        var node = Self.root
        for scalar in word {
            let key = UInt64(node) << 32 | UInt64(scalar.value)
            if let next = children[key] {
                node = next
            } else {
                let next = UInt32(frequencies.count)
                frequencies.append(0)
                children[key] = next
                node = next
            }
        }
        frequencies[Int(node)] = frequency
        total += frequency
    }

    func child(of node: UInt32, _ scalar: Unicode.Scalar) -> UInt32? { children[UInt64(node) << 32 | UInt64(scalar.value)] }

    func frequency(at node: UInt32) -> Int { frequencies[Int(node)] }

    /// The frequency of `word`, 0 where it is unknown or only the beginning of words.
    func frequency(of word: ArraySlice<Unicode.Scalar>) -> Int {
        var node = Self.root
        for scalar in word {
            guard let next = child(of: node, scalar) else { return 0 }
            node = next
        }
        return frequency(at: node)
    }

    /// Reads lines of `word frequency [tag]`, as in jieba's dict.txt.
    static func load(path: String) throws -> PrefixDictionary {
        let bytes = try FileSystem.readBytes(path)
        var dictionary = PrefixDictionary()
        dictionary.children.reserveCapacity(bytes.count / 8)
        dictionary.frequencies.reserveCapacity(bytes.count / 8)
        var lineNumber = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            lineNumber += 1
            let fields = line.split(separator: UInt8(ascii: " "))
            if fields.isEmpty { continue }
            guard fields.count >= 2, let frequency = Int(String(decoding: fields[1], as: UTF8.self).trimmingLineEnd) else {
                throw SegmentationError.malformedDictionary(path: path, line: lineNumber)
            }
            dictionary.add(String(decoding: fields[0], as: UTF8.self).unicodeScalars, frequency: frequency)
        }
        return dictionary
    }

    /// The five entries of jieba's dictionary that are pure ASCII, and its total. They are all that is needed to cut text without
    /// Han characters exactly as jieba does.
    static let asciiOnly: PrefixDictionary = {
        var dictionary = PrefixDictionary()
        for word in ["AT&T", "c#", "C#", "c++", "C++"] { dictionary.add(word.unicodeScalars, frequency: 3) }
        dictionary.total = 60_101_967
        return dictionary
    }()
}

extension String {
    fileprivate var trimmingLineEnd: String { String(drop { $0 == " " }.prefix { $0 != "\r" && $0 != "\r\n" && $0 != " " }) }
}

/// What can be wrong with jieba's tables.
enum SegmentationError: Error, CustomStringConvertible {
    case malformedDictionary(path: String, line: Int)
    case malformedTable(path: String, expected: String)

    var description: String {
        switch self {
        case .malformedDictionary(let path, let line):
            "\(path), line \(line): expected \"word frequency\", as in jieba's dict.txt."
        case .malformedTable(let path, let expected):
            "\(path): expected \(expected), as in jieba's finalseg tables."
        }
    }
}
