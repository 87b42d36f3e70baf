import Formats

/// The texts of a row: its strings, however deep, but not those that say who speaks or what a thing is called.
struct RowText: Sendable {
    /// Columns that are looked at; empty for all.
    let columns: Set<String>

    private static let labels: Set<String> = ["from", "role", "id", "type", "name", "source", "image", "images", "video", "videos", "audio", "audios"]

    /// Columns that hold no text but what the text is about.
    private static let media = ["image", "images", "video", "videos", "audio", "audios"]

    /// A column that no row has is a mistake: every row would seem empty.
    func check(in sources: [String]) throws(DatasetError) {
        var missing = columns, found: [String] = []
        for path in sources where !missing.isEmpty {
            let file = try RowFile(path: path, limit: 0)
            var scanner = try file.scanner()
            while !missing.isEmpty, let span = try scanner.next() {
                guard let row = try? file.value(span).objectValue else { continue }
                for key in row.keys {
                    missing.remove(key)
                    if found.count < 20, !found.contains(key) { found.append(key) }
                }
            }
        }
        guard let name = missing.min() else { return }
        let list = found.isEmpty ? "no columns" : found.joined(separator: ", ")
        throw .badSetting(argument: "columns", reason: "no row has \"\(name)\"; the rows have \(list)")
    }

    /// What pictures, films and sounds a row is about; 0 for none.
    static func media(_ value: JSONValue) -> UInt64 {
        guard let row = value.objectValue else { return 0 }
        let named = JSONObject(media.compactMap { name in
            guard let value = row[name], !value.isNull, value != "", value != [] else { return nil }
            return (name, value)
        })
        return named.count == 0 ? 0 : RowHash(.object(named), columns: [])?.low ?? 0
    }

    /// All texts, a line feed between two.
    func text(_ value: JSONValue) -> String {
        var texts: [String] = []
        collect(value, isTop: true, &texts)
        return texts.joined(separator: "\n")
    }

    private func collect(_ value: JSONValue, isTop: Bool, _ texts: inout [String]) {
        switch value {
        case .string(let text): if !text.isEmpty { texts.append(text) }
        case .array(let values): for value in values { collect(value, isTop: false, &texts) }
        case .object(let object):
            for (key, value) in object where isWanted(key, isTop: isTop) { collect(value, isTop: false, &texts) }
        case .null, .bool, .integer, .number: break
        }
    }

    private func isWanted(_ key: String, isTop: Bool) -> Bool {
        isTop && !columns.isEmpty ? columns.contains(key) : !Self.labels.contains(key)
    }

    /// The row with its texts changed, or nil when none was.
    /// - Parameter change: gives nil for a text that stays.
    func changed(_ value: JSONValue, _ change: (String) -> String?) -> JSONValue? { changed(value, isTop: true, change) }

    private func changed(_ value: JSONValue, isTop: Bool, _ change: (String) -> String?) -> JSONValue? {
        switch value {
        case .string(let text): return change(text).map { .string($0) }
        case .array(let values):
            let all = values.map { changed($0, isTop: false, change) }
            return all.contains { $0 != nil } ? .array(zip(all, values).map { $0 ?? $1 }) : nil
        case .object(var object):
            var isChanged = false
            for (key, member) in object where isWanted(key, isTop: isTop) {
                guard let new = changed(member, isTop: false, change) else { continue }
                object[key] = new
                isChanged = true
            }
            return isChanged ? .object(object) : nil
        case .null, .bool, .integer, .number: return nil
        }
    }
}
