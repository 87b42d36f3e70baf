import Formats

/// The texts of a row: its strings, however deep, but not those that say who speaks or what a thing is called.
struct RowText: Sendable {
    /// Columns that are looked at; empty for all.
    let columns: Set<String>

    private static let labels: Set<String> = ["from", "role", "id", "type", "name", "source", "image", "images", "video", "videos", "audio", "audios"]

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
