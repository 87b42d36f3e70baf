/// JSON text as the same kind of tree that YAML gives, so that one reader of recipes serves both.

extension YAML {
    /// Parses JSON strictly (surrogate pairs and all) and keeps lines and columns.
    public static func parseNode(json text: String, name: String) throws(JSONError) -> YAMLNode {
        let bytes = Array(text.utf8)
        return try bytes.withContiguousBytes { buffer throws(JSONError) in
            var reader = JSONReader(buffer, name: name)
            let node = try node(&reader)
            try reader.end()
            return node
        }
    }

    private static func node(_ reader: inout JSONReader) throws(JSONError) -> YAMLNode {
        let kind = try reader.peek()
        let place = reader.place()
        let content: YAMLNode.Content
        switch kind {
        case .object:
            var pairs: [(key: YAMLNode, value: YAMLNode)] = []
            try reader.beginObject()
            while let key = try reader.nextKey() {
                let keyPlace = reader.place()
                let keyNode = YAMLNode(content: .scalar(text: key, isPlain: false), line: keyPlace.line, column: keyPlace.column)
                pairs.append((keyNode, try node(&reader)))
            }
            content = .mapping(pairs)
        case .array:
            var nodes: [YAMLNode] = []
            try reader.beginArray()
            while try reader.nextElement() { nodes.append(try node(&reader)) }
            content = .sequence(nodes)
        case .string: content = .scalar(text: try reader.string(), isPlain: false)
        case .number, .bool, .null:
            content = .scalar(text: try reader.value().text(style: .python), isPlain: true)
        }
        return YAMLNode(content: content, line: place.line, column: place.column)
    }
}
