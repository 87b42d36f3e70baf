import Glibc
import Testing

/// Compares frames with files under Tests/Fixtures/terminal. Run with TUNEBOARD_UPDATE_FRAMES=1 to write them anew.
enum Golden {
    static func expect(_ lines: [String], file name: String, source: SourceLocation = #_sourceLocation) {
        let folder = #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Fixtures/terminal/"
        let path = folder + name + ".txt"
        let text = lines.joined(separator: "\n") + "\n"
        if getenv("TUNEBOARD_UPDATE_FRAMES") != nil {
            guard let file = fopen(path, "w") else {
                Issue.record("cannot write \(path)")
                return
            }
            fputs(text, file)
            fclose(file)
            return
        }
        guard let expected = read(path) else {
            Issue.record("\(path) is missing; the frame is:\n\(text)", sourceLocation: source)
            return
        }
        #expect(expected == text, "\(name) differs\n--- expected\n\(expected)--- found\n\(text)", sourceLocation: source)
    }

    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The path of a folder beside Sources.
    static func projectFolder(_ name: String) -> String {
        #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/" + name
    }
}
