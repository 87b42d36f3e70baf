/// Where the expected values lie, and small ways of reading them.

import Configuration
import Formats
import Platform

@testable import Training

enum Fixtures {
    static let directory = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures")
    static let training = Path.join(directory, "training")
    static let evaluation = Path.join(directory, "evaluation")

    static func json(_ path: String) throws -> JSONValue { try JSONValue.read(file: path) }

    /// A folder that is removed when the body ends.
    static func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
        let directory = try FileSystem.createTemporaryDirectory(prefix: "tuneboard-training-")
        defer { try? FileSystem.removeTree(directory) }
        return try body(directory)
    }
}

extension JSONValue {
    var doubles: [Double] { (arrayValue ?? []).compactMap(\.doubleValue) }
    var floats: [Float] { doubles.map { Float($0) } }
    var tokens: [Int32] { doubles.map { Int32($0) } }
    var strings: [String] { (arrayValue ?? []).compactMap(\.stringValue) }
}
