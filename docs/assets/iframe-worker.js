/* Search from the file system: browsers start no worker from a file, so a hidden frame does its work. */
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      this.frame = frame.contentWindow;
      addEventListener("message", (event) => {
        if (event.source === this.frame) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      const prelude = () => {
        const toParent = (message) => parent.postMessage(message, "*");
        window.postMessage = toParent;
        window.importScripts = (...urls) =>
          urls.reduce(
            (done, source) =>
              done.then(
                () =>
                  new Promise((resolve) => {
                    const script = document.createElement("script");
                    script.src = source;
                    script.onload = resolve;
                    document.body.appendChild(script);
                  }),
              ),
            Promise.resolve(),
          );
      };
      this.frame.document.open();
      this.frame.document.write(
        `<html><body><script>(${prelude})()<\/script><script src="${url}"><\/script></body></html>`,
      );
      this.frame.document.close();
      this.ready = new Promise((resolve) => (this.frame.onload = resolve));
    }
    postMessage(message) {
      this.ready.then(() => this.frame.dispatchEvent(new MessageEvent("message", { data: message })));
    }
  };
}
