/// Scores from a server, as LLaMA-Factory asks for them: POST {"model": "model", "messages": [text, ...]}, answered with
/// {"scores": [number, ...]}. Plain HTTP/1.1 over a socket.

import Formats
import Glibc
import Platform

public final class RewardServer: Sendable {
    /// `http://host:port/path`
    public struct Address: Sendable, Equatable {
        public var host: String
        public var port: UInt16
        public var path: String

        public init(_ text: String) throws(TrainingError) {
            func refusal(_ reason: String) -> TrainingError { .unsuitable(argument: "reward_model", value: text, reason: reason) }
            if text.hasPrefix("https://") {
                throw refusal("this program speaks plain HTTP. Put the reward server behind a local proxy, or serve it at http://.")
            }
            guard text.hasPrefix("http://") else { throw refusal("with reward_model_type: api it is the server's address, http://host:port/path.") }
            let rest = text.dropFirst("http://".count)
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            path = slash == rest.endIndex ? "/" : String(rest[slash...])
            var name = rest[..<slash]
            var number: UInt16 = 80
            if let colon = name.lastIndex(of: ":"), !name.hasSuffix("]") {
                guard let given = UInt16(name[name.index(after: colon)...]), given > 0 else { throw refusal("its port is no number up to 65535.") }
                number = given
                name = name[..<colon]
            }
            if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
            guard !name.isEmpty, !text.utf8.contains(where: { $0 <= 32 }) else { throw refusal("it names no host.") }
            host = String(name)
            port = number
        }
    }

    private let address: Address
    private let timeoutSeconds: Int
    private let isInterrupted: @Sendable () -> Bool

    /// - Parameters:
    ///   - timeoutSeconds: how long the server may say nothing.
    ///   - isInterrupted: asked several times a second while the server is waited for; true gives the question up.
    public init(_ address: Address, timeoutSeconds: Int = 120, isInterrupted: @escaping @Sendable () -> Bool = { false }) {
        self.address = address
        self.timeoutSeconds = timeoutSeconds
        self.isInterrupted = isInterrupted
    }

    /// The scores of some texts, in their order.
    public func scores(_ texts: [String]) throws(TrainingError) -> [Double] {
        let body = JSONObject([("model", "model"), ("messages", .array(texts.map { .string($0) }))]).text(style: .python)
        let answer = try send(Array(body.utf8))
        let value: JSONValue
        do { value = try JSONValue.parse(answer, name: "the answer of the reward server") } catch {
            throw failure("answered with something that is not JSON (\(error.description))")
        }
        guard let list = value["scores"]?.arrayValue else { throw failure("answered without \"scores\"") }
        let scores = list.compactMap { $0.doubleValue ?? $0[0]?.doubleValue }
        guard scores.count == texts.count, scores.allSatisfy(\.isFinite) else {
            throw failure("gave \(scores.count { $0.isFinite }) scores for \(texts.count) texts")
        }
        return scores
    }

    private func failure(_ what: String) -> TrainingError {
        .rewardServer(address: "http://\(address.host):\(address.port)\(address.path)", what: what)
    }

    // MARK: HTTP

    private static let largestAnswer = 64 << 20

    private func send(_ body: [UInt8]) throws(TrainingError) -> [UInt8] {
        let connection = try connect()
        defer { close(connection) }
        let head = "POST \(address.path) HTTP/1.1\r\nHost: \(address.host):\(address.port)\r\nContent-Type: application/json\r\n"
            + "Accept: application/json\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n"
        try write(Array(head.utf8) + body, to: connection)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            guard try wait(for: Int16(POLLIN), of: connection) else { throw failure("did not answer within \(timeoutSeconds) s") }
            let count = recv(connection, &buffer, buffer.count, 0)
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw failure("broke off: \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            answer += buffer[..<count]
            if answer.count > Self.largestAnswer { throw failure("sent more than \(Self.largestAnswer >> 20) MiB") }
            if HTTPAnswer(answer)?.isComplete == true { break }
        }
        guard let parsed = HTTPAnswer(answer) else { throw failure("answered with something that is not HTTP") }
        guard parsed.status == 200 else { throw failure("answered with status \(parsed.status)") }
        guard let content = parsed.content else { throw failure("sent only part of its answer") }
        return content
    }

    private func connect() throws(TrainingError) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, String(address.port), &hints, &found)
        guard code == 0 else { throw failure("cannot be found: \(String(cString: gai_strerror(code)))") }
        defer { freeaddrinfo(found) }
        var reason = "no address"
        var next = found
        while let entry = next {
            let kind = entry.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let descriptor = socket(entry.pointee.ai_family, kind, entry.pointee.ai_protocol)
            if descriptor >= 0 {
                do {
                    if let problem = try open(descriptor, to: entry.pointee) { reason = problem } else { return descriptor }
                } catch {
                    close(descriptor)
                    throw error
                }
                close(descriptor)
            }
            next = entry.pointee.ai_next
        }
        throw failure("cannot be reached: \(reason)")
    }

    /// - Returns: why there is no connection, or nil when there is one.
    private func open(_ descriptor: Int32, to place: addrinfo) throws(TrainingError) -> String? {
        if Glibc.connect(descriptor, place.ai_addr, place.ai_addrlen) == 0 { return nil }
        guard errno == EINPROGRESS else { return String(cString: strerror(errno)) }
        guard try wait(for: Int16(POLLOUT), of: descriptor) else { return "nobody answers within \(timeoutSeconds) s" }
        var problem: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
        return problem == 0 ? nil : String(cString: strerror(problem))
    }

    /// Until the connection can be read or written, with an eye on who wants the job to end; false when the time is over.
    private func wait(for event: Int16, of connection: Int32) throws(TrainingError) -> Bool {
        let end = Clock.monotonicSeconds() + Double(timeoutSeconds)
        while Clock.monotonicSeconds() < end {
            if isInterrupted() { throw failure("was not waited for: the job is to end") }
            var entry = pollfd(fd: connection, events: event, revents: 0)
            if poll(&entry, 1, 200) > 0 { return true }
        }
        return false
    }

    private func write(_ bytes: [UInt8], to connection: Int32) throws(TrainingError) {
        var sent = 0
        while sent < bytes.count {
            guard try wait(for: Int16(POLLOUT), of: connection) else { throw failure("does not take the request within \(timeoutSeconds) s") }
            let count = bytes.withUnsafeBytes { Glibc.send(connection, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw failure("does not take the request: \(String(cString: strerror(errno)))")
            }
            sent += count
        }
    }
}

/// What a server sent, as far as it has arrived.
struct HTTPAnswer {
    let status: Int
    private let body: ArraySlice<UInt8>
    private let length: Int?
    private let isChunked: Bool

    /// Nil before the header is whole, and for what is not HTTP.
    init?(_ bytes: [UInt8]) {
        let mark: [UInt8] = [13, 10, 13, 10]
        guard let end = bytes.indices.dropLast(3).first(where: { Array(bytes[$0..<$0 + 4]) == mark }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        self.status = status
        var length: Int?
        var isChunked = false
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].drop { $0 == " " }.lowercased()
            if name == "content-length" { length = Int(value).flatMap { $0 >= 0 ? $0 : nil } }
            if name == "transfer-encoding" { isChunked = value.contains("chunked") }
        }
        self.length = length
        self.isChunked = isChunked
        body = bytes[(end + 4)...]
    }

    var isComplete: Bool { isChunked ? chunks != nil : length.map { body.count >= $0 } ?? false }

    /// The body; nil when part of it is missing.
    var content: [UInt8]? {
        if isChunked { return chunks }
        guard let length else { return Array(body) }
        return body.count >= length ? Array(body.prefix(length)) : nil
    }

    private var chunks: [UInt8]? {
        var result: [UInt8] = []
        var rest = body
        while let end = rest.firstIndex(of: 10) {
            let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self).prefix { $0.isHexDigit }
            guard let size = Int(line, radix: 16), size >= 0, size <= body.count else { return nil }
            rest = rest[(end + 1)...]
            if size == 0 { return result }
            guard rest.count >= size + 2 else { return nil }
            result += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return nil
    }
}
