import CNcurses
import Glibc
import Testing

@testable import Terminal

@Suite struct MemoryBackendTests {
    @Test func aScriptIsHandedOutWhileNothingIsBusy() {
        let backend = MemoryBackend(size: Size(columns: 10, rows: 2))
        backend.feed(keys: "down ctrl+r ab")
        backend.atEnd = .terminate
        var busy = 2
        backend.isBusy = {
            busy -= 1
            return busy > 0
        }
        var seen: [Input] = []
        while seen.last != .terminate { seen += backend.nextInputs(timeoutMilliseconds: nil) }
        #expect(seen == [.key(Key(.down)), .key(Key("r", .control)), .key(Key("a")), .key(Key("b")), .terminate])
    }

    @Test func wakingFromAnotherThreadEndsTheWait() {
        let backend = MemoryBackend(size: Size(columns: 10, rows: 2))
        backend.wakeHandle.wake()
        #expect(backend.nextInputs(timeoutMilliseconds: nil) == [.wake])
        #expect(backend.nextInputs(timeoutMilliseconds: 1) == [])
    }
}

/// ncurses on pipes: what it believes to be on the screen, and what keys it makes of bytes. Its state is global, so one at a time.
@Suite(.serialized) struct NcursesBackendTests {
    private final class Line {
        let backend: NcursesBackend
        let keyboard: Int32
        let screen: Int32
        let ends: [Int32]

        init?(_ type: String = "xterm-256color", isMonochrome: Bool = false) {
            var keys: [Int32] = [0, 0]
            var output: [Int32] = [0, 0]
            guard pipe(&keys) == 0, pipe(&output) == 0 else { return nil }
            _ = fcntl(output[0], F_SETFL, O_NONBLOCK)
            var options = NcursesBackend.Options()
            options.descriptors = (keys[0], output[1])
            options.terminalType = type
            options.capturesOutput = false
            options.isMonochrome = isMonochrome
            guard let opened = try? NcursesBackend(options: options) else { return nil }
            backend = opened
            keyboard = keys[1]
            screen = output[0]
            ends = keys + output
        }

        deinit {
            backend.close()
            for end in ends { Glibc.close(end) }
        }

        func type(_ text: String) -> [Input] {
            let bytes = Array(text.utf8)
            _ = write(keyboard, bytes, bytes.count)
            return backend.nextInputs(timeoutMilliseconds: 500)
        }

        /// What was sent to the terminal since the last call.
        func sent() -> String {
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = read(screen, &bytes, bytes.count)
            return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
        }

        func shown(_ y: Int) -> String {
            var line = String.UnicodeScalarView()
            for x in 0..<backend.size.columns {
                var cell = terminal_cell()
                guard terminal_read_back(Int32(x), Int32(y), &cell) == 0 else { continue }
                for code in [cell.glyph.0, cell.glyph.1, cell.glyph.2] {
                    if code != 0, let scalar = Unicode.Scalar(code) { line.append(scalar) }
                }
            }
            while line.last == " " { line.removeLast() }
            return String(line)
        }
    }

    @Test func whatIsPresentedIsOnTheScreen() throws {
        let line = try #require(Line())
        var grid = CellGrid(size: line.backend.size)
        grid.put("a月b e\u{301} ⠿", at: Point(x: 0, y: 0), style: Style(foreground: .indexed(110), background: .ansi(4), attributes: .bold))
        grid.box(Rect(x: 0, y: 1, width: 6, height: 3), style: .plain, isFocused: true)
        line.backend.present(grid, cursor: nil)
        #expect(line.shown(1) == "┏━━━━┓")
        #expect(line.shown(0).hasPrefix("a月"))
        var cell = terminal_cell()
        #expect(terminal_read_back(0, 0, &cell) == 0)
        #expect(cell.foreground == 110 && cell.background == 4 && cell.attributes == UInt8(TERMINAL_BOLD))
        grid.put("x", at: Point(x: 2, y: 0))
        line.backend.present(grid, cursor: nil)
        #expect(line.shown(0).hasPrefix("a xb é"))
    }

    @Test func onlyWhatChangedIsSent() throws {
        let line = try #require(Line())
        var grid = CellGrid(size: line.backend.size)
        for y in 0..<grid.size.rows { grid.put("some text in every row", at: Point(x: 0, y: y)) }
        line.backend.present(grid, cursor: nil)
        _ = line.sent()
        line.backend.present(grid, cursor: nil)
        #expect(line.sent().isEmpty)
        grid.put("X", at: Point(x: 5, y: 5))
        line.backend.present(grid, cursor: nil)
        let change = line.sent()
        #expect(change.contains("X") && change.utf8.count < 40, "\(change.utf8.count) bytes")
        line.backend.repaint()
        line.backend.present(grid, cursor: nil)
        #expect(line.sent().utf8.count > 400)
    }

    @Test func moreThan256PairsOfColoursKeepTheirColours() throws {
        let line = try #require(Line())
        var grid = CellGrid(size: line.backend.size)
        for index in 0..<600 {
            let style = Style(foreground: .indexed(UInt8(index % 250)), background: .indexed(UInt8(index / 250)))
            grid.put("x", at: Point(x: index % 60, y: index / 60), style: style)
        }
        line.backend.present(grid, cursor: nil)
        var cell = terminal_cell()
        #expect(terminal_read_back(Int32(555 % 60), 9, &cell) == 0)
        #expect(cell.foreground == 555 % 250 && cell.background == 2)
    }

    @Test func bytesBecomeKeys() throws {
        let line = try #require(Line())
        #expect(line.type("a月") == [.key(Key("a")), .key(Key("月"))])
        #expect(line.type("\u{1B}OA\u{1B}[B") == [.key(Key(.up)), .key(Key(.down))])
        #expect(line.type("\u{1B}[1;5C\u{1B}[3;2~") == [.key(Key(.right, .control)), .key(Key(.delete, .shift))])
        #expect(line.type("\u{1B}[15~\u{1B}OP") == [.key(Key(.function(5))), .key(Key(.function(1)))])
        #expect(line.type("\u{1B}[Z\t") == [.key(Key(.backTab)), .key(Key(.tab))])
        #expect(line.type("\u{1B}") == [.key(Key(.escape))])
        #expect(line.type("\u{1B}x") == [.key(Key("x", .alt))])
        #expect(line.type("\u{1B}\r") == [.key(Key(.enter, .alt))])
        #expect(line.type("\u{1B}[13;2u") == [.key(Key(.enter, .shift))])
        #expect(line.type("\r\n\u{3}") == [.key(Key(.enter)), .key(Key("j", .control)), .key(Key("c", .control))])
        #expect(line.type("\u{1B}[200~two\rlines\u{1B}[201~x") == [.paste("two\nlines"), .key(Key("x"))])
        #expect(line.type("\u{1B}[<0;5;3M\u{1B}[<0;5;3m\u{1B}[<65;1;1M") == [
            .mouse(MouseEvent(point: Point(x: 4, y: 2), kind: .press)), .mouse(MouseEvent(point: Point(x: 4, y: 2), kind: .release)),
            .mouse(MouseEvent(point: Point(x: 0, y: 0), kind: .wheelDown, button: .none)),
        ])
    }

    @Test(arguments: ["screen", "tmux-256color", "linux", "vt100", "xterm"])
    func otherTerminalsWork(_ type: String) throws {
        // Not every system has an entry for each.
        guard let line = Line(type) else { return }
        var grid = CellGrid(size: line.backend.size)
        grid.put("hello", at: Point(x: 0, y: 0), style: Style(foreground: .rgb(200, 20, 20), background: .indexed(17), attributes: [.bold, .dim]))
        line.backend.present(grid, cursor: Point(x: 1, y: 0))
        #expect(line.shown(0) == "hello")
        #expect(line.type("\u{1B}[A\u{1B}[<0;1;1M").count == 2)
        if type == "vt100" { #expect(line.backend.depth == .mono) }
    }

    @Test func withoutColoursDepthIsMono() throws {
        let line = try #require(Line("xterm-256color", isMonochrome: true))
        #expect(line.backend.depth == .mono)
    }

    @Test func terminalsThatCannotBeUsedAreRefused() {
        #expect(Line("dumb") == nil)
        #expect(Line("no-such-terminal") == nil)
        #expect(TerminalError.unknownType("x").description.contains("TERM=x"))
    }

    @Test func closingLeavesAllModesAndAHangUpSendsNothing() throws {
        let line = try #require(Line())
        let opening = line.sent()
        for mode in ["?1000h", "?1002h", "?1006h", "?2004h", "?1049h"] { #expect(opening.contains(mode), "\(mode)") }
        line.backend.close()
        let closing = line.sent()
        for mode in ["?1000l", "?1002l", "?1006l", "?2004l", "?1049l", "?25h"] { #expect(closing.contains(mode), "\(mode)") }

        let dead = try #require(Line())
        _ = dead.sent()
        Glibc.close(dead.keyboard)
        #expect(dead.backend.nextInputs(timeoutMilliseconds: 500) == [.hangUp])
        #expect(dead.backend.nextInputs(timeoutMilliseconds: 10) == [])
        dead.backend.present(CellGrid(size: dead.backend.size, style: Style(attributes: .bold)), cursor: nil)
        dead.backend.close()
        #expect(dead.sent().isEmpty)
    }

    @Test func strayPrintsComeAsInput() throws {
        let line = try #require(Line())
        #expect(terminal_capture_output(-1) == 0)
        let text = Array("from a library\nand \u{1B}[1mmore\n".utf8)
        _ = write(1, text, text.count)
        let inputs = line.backend.nextInputs(timeoutMilliseconds: 500)
        terminal_release_output()
        // What other tests printed in the meantime is passed on.
        for case .captured(let text) in inputs where !text.contains("library") && text != "and more" { _ = write(2, text + "\n", text.utf8.count + 1) }
        #expect(inputs.contains(.captured("from a library")))
        #expect(inputs.contains(.captured("and more")))
    }
}
