/// Reading YAML with libyaml's events. Anchors, aliases and merge keys are resolved within bounds.

import CYAML
import Platform

extension YAML {
    static let depthLimit = 100
    static let nodeLimit = 200_000

    /// Parses one document and keeps lines and columns. An empty text is null.
    public static func parseNode(_ text: String, name: String) throws(YAMLError) -> YAMLNode {
        let parser = try YAMLParser(name: name)
        let bytes = Array(text.utf8)
        return try bytes.withContiguousBytes { buffer throws(YAMLError) in try parser.document(buffer) }
    }
}

/// Owns libyaml's parser while one text is read.
private final class YAMLParser {
    private let name: String
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var event = yaml_event_t()
    private var anchors: [String: YAMLNode] = [:]
    private var totalWeight = 0

    init(name: String) throws(YAMLError) {
        self.name = name
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        if yaml_parser_initialize(parser) == 0 {
            throw .syntax(TextPlace(name: name, line: 1, column: 1), problem: "there is no memory to read it")
        }
    }

    deinit {
        yaml_event_delete(&event)
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    /// The buffer must stay while this runs; the parser is not used afterwards.
    func document(_ bytes: UnsafeRawBufferPointer) throws(YAMLError) -> YAMLNode {
        yaml_parser_set_input_string(parser, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        try advance()  // the stream's start
        try advance()
        if event.type == YAML_STREAM_END_EVENT {
            return YAMLNode(content: .scalar(text: "", isPlain: true), line: 1, column: 1)
        }
        try advance()
        let node = try self.node(depth: 0)
        try advance()  // the document's end
        try advance()
        if event.type == YAML_DOCUMENT_START_EVENT { throw .severalDocuments(place) }
        return node
    }

    private func advance() throws(YAMLError) {
        yaml_event_delete(&event)
        if yaml_parser_parse(parser, &event) != 0 { return }
        var problem = parser.pointee.problem.map { String(cString: $0) } ?? "this is not YAML"
        if let context = parser.pointee.context { problem = String(cString: context) + ", " + problem }
        let mark = parser.pointee.error == YAML_READER_ERROR ? nil : parser.pointee.problem_mark
        throw .syntax(
            TextPlace(name: name, line: Int(mark?.line ?? 0) + 1, column: Int(mark?.column ?? 0) + 1), problem: problem)
    }

    private var place: TextPlace {
        TextPlace(name: name, line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
    }

    /// The node that the current event begins; afterwards the current event is its last.
    private func node(depth: Int) throws(YAMLError) -> YAMLNode {
        let place = place
        if depth > YAML.depthLimit { throw .tooDeep(place, limit: YAML.depthLimit) }
        var made: YAMLNode
        let anchor: String?
        switch event.type {
        case YAML_SCALAR_EVENT:
            anchor = text(event.data.scalar.anchor)
            made = try scalar(place)
        case YAML_SEQUENCE_START_EVENT:
            anchor = text(event.data.sequence_start.anchor)
            try check(tag: text(event.data.sequence_start.tag), known: ["tag:yaml.org,2002:seq"])
            made = try sequence(place, depth: depth)
        case YAML_MAPPING_START_EVENT:
            anchor = text(event.data.mapping_start.anchor)
            try check(tag: text(event.data.mapping_start.tag), known: ["tag:yaml.org,2002:map"])
            made = try mapping(place, depth: depth)
        case YAML_ALIAS_EVENT:
            anchor = nil
            let name = text(event.data.alias.anchor) ?? ""
            guard let target = anchors[name] else { throw .unknownAnchor(place, name: name) }
            made = target
            made.line = place.line
            made.column = place.column
        default:
            throw .syntax(place, problem: "a value is expected here")
        }
        totalWeight += made.weight
        if totalWeight > YAML.nodeLimit { throw .tooLarge(place, limit: YAML.nodeLimit) }
        if let anchor { anchors[anchor] = made }
        return made
    }

    private func scalar(_ place: TextPlace) throws(YAMLError) -> YAMLNode {
        let scalar = event.data.scalar
        let content = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        var isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
        if let tag = text(scalar.tag) {
            let prefix = "tag:yaml.org,2002:"
            let kinds = ["str", "int", "float", "bool", "null", "timestamp"].map { prefix + $0 }
            if tag != "!" { try check(tag: tag, known: kinds) }
            isPlain = tag != "!" && tag != prefix + "str"
        }
        return YAMLNode(content: .scalar(text: content, isPlain: isPlain), line: place.line, column: place.column)
    }

    private func sequence(_ place: TextPlace, depth: Int) throws(YAMLError) -> YAMLNode {
        var elements: [YAMLNode] = []
        var weight = 1
        try advance()
        while event.type != YAML_SEQUENCE_END_EVENT {
            let element = try node(depth: depth + 1)
            weight += element.weight
            elements.append(element)
            try advance()
        }
        return YAMLNode(content: .sequence(elements), line: place.line, column: place.column, weight: weight)
    }

    private func mapping(_ place: TextPlace, depth: Int) throws(YAMLError) -> YAMLNode {
        var pairs: [(key: YAMLNode, value: YAMLNode)] = []
        var merged: [YAMLNode] = []
        var keys: Set<ByteKey> = []
        var weight = 1
        try advance()
        while event.type != YAML_MAPPING_END_EVENT {
            let keyPlace = self.place
            let key = try node(depth: depth + 1)
            try advance()
            let value = try node(depth: depth + 1)
            weight += key.weight + value.weight
            if case .scalar("<<", true) = key.content {
                merged.append(value)
            } else {
                let keyText = key.scalarText ?? key.json.text()
                if !keys.insert(ByteKey(keyText)).inserted { throw .duplicateKey(keyPlace, key: keyText) }
                pairs.append((key, value))
            }
            try advance()
        }
        let inherited = merged.flatMap { inheritedPairs(of: $0) }.filter { keys.insert(ByteKey($0.key.scalarText ?? "")).inserted }
        return YAMLNode(content: .mapping(inherited + pairs), line: place.line, column: place.column, weight: weight)
    }

    /// What "<<: *base" or "<<: [*a, *b]" brings in; the first of several wins.
    private func inheritedPairs(of node: YAMLNode) -> [(key: YAMLNode, value: YAMLNode)] {
        switch node.content {
        case .mapping(let pairs): pairs
        case .sequence(let nodes): nodes.flatMap { inheritedPairs(of: $0) }
        case .scalar: []
        }
    }

    private func check(tag: String?, known: [String]) throws(YAMLError) {
        guard let tag, tag != "!", !known.contains(tag) else { return }
        throw .unsupportedTag(place, tag: tag)
    }

    private func text(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? { pointer.map { String(cString: $0) } }
}
