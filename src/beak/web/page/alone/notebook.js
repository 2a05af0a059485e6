// The notebook's side of the widget: a frame with the page, `page`, `height` pixels high, and the line
// between it and the kernel. Both names are written before this by beak.web.widget.

export default {
  render({ model, el }) {
    const frame = document.createElement("iframe");
    frame.title = "beak look";
    frame.allow = "camera; microphone";
    frame.style.cssText = `width: 100%; height: ${height}px; border: 1px solid #8884; border-radius: 6px`;
    frame.srcdoc = page;
    const asked = ({ source, data }) => {
      if (source !== frame.contentWindow || data?.beak !== "asks") return;
      const { number, address, body } = data;
      model.send({ number, address, given: body !== undefined }, undefined, body === undefined ? [] : [body]);
    };
    const answered = ({ number, status }, [buffer]) => {
      const view = buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      frame.contentWindow?.postMessage({ beak: "answers", number, status, body: view.slice().buffer }, "*");
    };
    addEventListener("message", asked);
    model.on("msg:custom", answered);
    el.append(frame);
    return () => {
      removeEventListener("message", asked);
      model.off("msg:custom", answered);
    };
  },
};
