import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import javax.net.ssl.*;

/** `java Get URL CA-FILE SECONDS`: one request by Java's own client. */
public class Get {
    public static void main(String[] a) throws Exception {
        if (!a[1].equals("-")) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            int n = 0;
            try (InputStream in = Files.newInputStream(Path.of(a[1]))) {
                for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) store.setCertificateEntry("ca" + n++, c);
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
        }
        HttpURLConnection c = (HttpURLConnection) new URL(a[0]).openConnection();
        int wait = Integer.parseInt(a[2]) * 1000;
        c.setConnectTimeout(wait);
        c.setReadTimeout(wait);
        System.out.println(c.getResponseCode() + " " + c.getInputStream().readAllBytes().length);
    }
}
